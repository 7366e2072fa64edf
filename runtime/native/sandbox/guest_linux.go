package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	goruntime "runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/guest"
)

// becomeGuest is the second life: process 1 of a finished machine, without
// privileges. It returns when the machine is told to end.
func becomeGuest(plan Plan, control *os.File, messages *json.Encoder) error {
	goruntime.UnlockOSThread()
	// Programs of the same user must not look into the guest, nor reach the
	// host's file that it was started from.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("close the guest to others: %w", err)
	}
	file := os.NewFile(ListenerFD, "listener")
	listener, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("use the listening socket: %w", err)
	}
	_ = file.Close()
	if err := unix.Close(PlanFD); err != nil {
		return err
	}
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, unix.SIGTERM)
	if err := messages.Encode(Message{Ready: true}); err != nil {
		return fmt.Errorf("tell the driver: %w", err)
	}
	_ = control.Close()

	served := make(chan error, 1)
	go func() { served <- guest.Serve(context.Background(), listener, plan.Guest) }()
	select {
	case err := <-served:
		return fmt.Errorf("the guest ended: %w", err)
	case <-terminate:
		endProcesses()
		return nil
	}
}

// endProcesses asks every process of the machine to end and returns when all
// have. How long it may wait is the driver's affair: it kills this process when
// the grace is over.
func endProcesses() {
	const poll = 5 * time.Millisecond
	err := unix.Kill(-1, unix.SIGTERM)
	for !errors.Is(err, unix.ESRCH) {
		time.Sleep(poll)
		err = unix.Kill(-1, 0)
	}
}

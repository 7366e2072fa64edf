package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	goruntime "runtime"
	"strconv"
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

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- guest.Serve(ctx, listener, plan.Guest) }()
	select {
	case err := <-served:
		return fmt.Errorf("the guest ended: %w", err)
	case <-terminate:
		endPrograms()
		cancel()
		return <-served
	}
}

// endPrograms asks every program in the machine to end and returns when all
// have. How long it may wait is the driver's affair: it kills this process when
// the grace is over.
func endPrograms() {
	const poll = 5 * time.Millisecond
	_ = unix.Kill(-1, unix.SIGTERM) // all but this process; an error says that there is none
	for programsRun() {
		time.Sleep(poll)
	}
}

// programsRun reports whether the machine has processes besides the guest and
// its supervisors, which heed no signal and end with it.
func programsRun() bool {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	supervisor := []byte("vm-agent\x00supervise\x00")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// Empty for one that has ended and was not waited for yet.
		command, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err == nil && len(command) > 0 && !bytes.HasPrefix(command, supervisor) {
			return true
		}
	}
	return false
}

package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	goruntime "runtime"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/guest"
)

// becomeGuest is the second life: process 1 of a finished machine, without
// privileges. It returns when the machine is told to end.
func becomeGuest(plan Plan, control *os.File, messages *json.Encoder) error {
	goruntime.UnlockOSThread()
	// It was started from a descriptor, whose number would be its name.
	_ = os.WriteFile("/proc/self/comm", []byte("vm-agent"), 0)
	// Programs of the same user must not look into the guest, nor reach the
	// host's file that it was started from.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("close the guest to others: %w", err)
	}
	if err := unix.SetNonblock(StopFD, true); err != nil {
		return fmt.Errorf("listen for the end: %w", err)
	}
	stop := os.NewFile(StopFD, "stop")
	file := os.NewFile(ListenerFD, "listener")
	listener, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("use the listening socket: %w", err)
	}
	_ = file.Close()
	if err := unix.Close(PlanFD); err != nil {
		return err
	}
	if err := messages.Encode(Message{Ready: true}); err != nil {
		return fmt.Errorf("tell the driver: %w", err)
	}
	_ = control.Close()
	// How long programs may take to end is the driver's affair: it kills this
	// process when the grace is over.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go heed(stop, cancel)
	return guest.Serve(ctx, listener, plan.Guest)
}

// heed does what the driver says through the stop pipe.
func heed(pipe *os.File, stop func()) {
	word := make([]byte, 1)
	for {
		if _, err := pipe.Read(word); err != nil {
			return
		}
		switch word[0] {
		case Stop:
			stop()
		case Die:
			os.Exit(1) // process 1 takes all others with it
		}
	}
}

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
	if err := messages.Encode(Message{Ready: true}); err != nil {
		return fmt.Errorf("tell the driver: %w", err)
	}
	_ = control.Close()
	// On SIGTERM it ends its programs and returns. How long those may take is
	// the driver's affair: it kills this process when the grace is over.
	return guest.Serve(context.Background(), listener, plan.Guest)
}

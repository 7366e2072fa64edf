package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	goruntime "runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/guest"
)

// guestStage is the argument that tells the second life of the program, inside
// the finished machine, from the first.
const guestStage = "guest"

// Run is the program that the driver starts in fresh namespaces; args are what
// follows its subcommand. It returns when the machine has been told to end, or
// with why there is none.
//
// It has two lives with an exec between them. The first assembles the machine
// and sheds privileges on its one locked thread; the exec makes that thread the
// whole process, so that no other can have kept anything. The second is the
// guest.
func Run(args []string) error {
	goruntime.LockOSThread()
	control := os.NewFile(ControlFD, "control")
	messages := json.NewEncoder(control)
	stage := prepare
	if len(args) > 0 && args[0] == guestStage {
		stage = becomeGuest
	}
	plan, err := readPlan()
	if err == nil {
		err = stage(plan, control, messages)
	}
	if err != nil {
		_ = messages.Encode(Message{Error: err.Error()}) // the driver may be gone; the console stays
	}
	return err
}

// readPlan leaves descriptor and offset as they are: both lives read it.
func readPlan() (Plan, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(PlanFD, &stat); err != nil {
		return Plan{}, fmt.Errorf("find the plan: %w", err)
	}
	raw := make([]byte, stat.Size)
	if n, err := unix.Pread(PlanFD, raw, 0); err != nil || n < len(raw) {
		return Plan{}, fmt.Errorf("read %d bytes of the plan's %d: %w", n, len(raw), err)
	}
	var plan Plan
	if err := json.Unmarshal(raw, &plan); err != nil {
		return Plan{}, fmt.Errorf("decode the plan: %w", err)
	}
	return plan, nil
}

// prepare is the first life. It returns only when it failed, or after an errand.
func prepare(plan Plan, control *os.File, messages *json.Encoder) error {
	// Nothing may be looked at before the driver has mapped the user ids, and
	// nothing shall live when the driver died before that.
	word := make([]byte, 1)
	if _, err := io.ReadFull(control, word); err != nil || word[0] != Go {
		return errors.New("the driver went away")
	}
	if plan.BecomeRoot {
		if err := becomeRoot(); err != nil {
			return err
		}
	}
	if plan.Remove != "" || plan.Measure != "" {
		return runErrand(plan, messages)
	}
	if err := configureHost(plan.HostName); err != nil {
		return err
	}
	agent, err := assemble(plan)
	if err != nil {
		return err
	}
	_ = messages.Encode(Message{Step: "file system assembled"})
	if err := limit(plan); err != nil {
		return err
	}
	if err := drop(plan); err != nil {
		return err
	}
	_ = messages.Encode(Message{Step: "privileges dropped"})
	return execGuest(agent, plan.Guest.Workload)
}

// becomeRoot turns the process into user 0 of its namespace.
func becomeRoot() error {
	if err := unix.Setgroups(nil); err != nil {
		return fmt.Errorf("drop the caller's groups: %w", err)
	}
	if err := unix.Setresgid(0, 0, 0); err != nil {
		return fmt.Errorf("become group 0: %w", err)
	}
	if err := unix.Setresuid(0, 0, 0); err != nil {
		return fmt.Errorf("become user 0: %w", err)
	}
	return nil
}

// configureHost gives the fresh namespaces a name and a working loopback.
func configureHost(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket for the loopback: %w", err)
	}
	defer func() { _ = unix.Close(socket) }()
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	loopback.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback); err != nil {
		return fmt.Errorf("bring up the loopback: %w", err)
	}
	return nil
}

// execGuest starts the second life from the agent's read-only mount. Only the
// descriptors that it needs survive.
func execGuest(agent *os.File, workload *guest.Workload) error {
	if err := unix.CloseRange(MountFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("mark descriptors to be closed: %w", err)
	}
	keep := []int{PlanFD, ListenerFD, ControlFD, StopFD}
	if workload != nil {
		keep = slices.Concat(keep, workload.Enter, workload.Leave)
	}
	for _, fd := range keep {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("keep descriptor %d: %w", fd, err)
		}
	}
	path := fmt.Sprintf("/proc/self/fd/%d", agent.Fd())
	err := unix.Exec(path, []string{"vm-agent", "sandbox", guestStage}, []string{"PATH=/usr/bin:/bin"})
	goruntime.KeepAlive(agent) // or it might be closed before
	return fmt.Errorf("start the guest: %w", err)
}

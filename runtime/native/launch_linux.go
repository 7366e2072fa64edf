package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/sandbox"
)

// setupCapabilities are what the sandbox needs until the machine is assembled,
// in its own user namespace. They are handed on as ambient ones, since the
// program that starts is not yet root there.
var setupCapabilities = []uintptr{
	unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP, unix.CAP_SETUID, unix.CAP_SETGID,
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER, unix.CAP_KILL,
}

const machineNamespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// launch is a start of the guest program as a sandbox.
type launch struct {
	identity identity
	agent    *os.File // the program, open
	plan     sandbox.Plan
	mounts   []*os.File // detached ones, in the order of the plan's numbers
	ways     []*os.File // into the programs' cgroup and back, numbered after the mounts
	listener *os.File
	stop     *os.File
	console  *os.File
	cgroup   *os.File // version 2 cgroup to start in, or nil
}

// start starts the program. It waits for the word to go on, so the caller can
// prepare its namespaces. The files stay the caller's.
func (l launch) start() (*child, error) {
	plan, err := planFile(l.plan)
	if err != nil {
		return nil, err
	}
	defer func() { _ = plan.Close() }()
	ours, theirs, err := controlPair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()

	files := slices.Concat([]*os.File{nil, l.console, l.console, plan, l.listener, theirs, l.stop}, l.mounts, l.ways)
	// By descriptor: the way to the program may be closed to the machine's user.
	program := fmt.Sprintf("/proc/self/fd/%d", len(files))
	files = append(files, l.agent)
	attr := &syscall.SysProcAttr{
		Cloneflags:  machineNamespaces,
		Setsid:      true, // it outlives this process and its terminal
		AmbientCaps: setupCapabilities,
	}
	if !l.identity.helpers {
		attr.UidMappings, attr.GidMappings = l.identity.uids, l.identity.gids
		attr.GidMappingsEnableSetgroups = l.identity.manyIDs
	}
	if l.cgroup != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(l.cgroup.Fd())
	}
	process, err := os.StartProcess(program, []string{"vm-agent", "sandbox"}, &os.ProcAttr{Files: files, Env: []string{}, Sys: attr})
	if err != nil {
		_ = ours.Close()
		return nil, startError(err)
	}
	go func() { _, _ = process.Wait() }() // so that it leaves no zombie while this process lives
	return &child{pid: process.Pid, owner: runtime.OwnerOf(process.Pid), control: ours, messages: json.NewDecoder(ours)}, nil
}

// startError turns the kernel's refusal of namespaces into advice.
func startError(err error) error {
	setting := func(name string) string {
		raw, readErr := os.ReadFile("/proc/sys/" + name)
		if readErr != nil {
			return ""
		}
		return strings.TrimSpace(string(raw))
	}
	hint := ""
	switch {
	case setting("kernel/unprivileged_userns_clone") == "0":
		hint = "sudo sysctl -w kernel.unprivileged_userns_clone=1"
	case setting("user/max_user_namespaces") == "0":
		hint = "sudo sysctl -w user.max_user_namespaces=10000"
	case setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
		hint = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give this program an AppArmor profile with the rule userns"
	case errors.Is(err, unix.EPERM):
		hint = "this looks like a container: run it with --security-opt seccomp=unconfined, or outside"
	case errors.Is(err, unix.ENOSPC):
		hint = "sudo sysctl -w user.max_user_namespaces=10000"
	}
	err = fmt.Errorf("the kernel makes no namespaces for this user (%w): %w", err, runtime.ErrUnavailable)
	if hint == "" {
		return err
	}
	return runtime.WithHint(err, hint)
}

func planFile(plan sandbox.Plan) (*os.File, error) {
	raw, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("plan", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	file := os.NewFile(uintptr(fd), "plan")
	if _, err := file.Write(raw); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	return file, nil
}

// controlPair returns both ends of the control stream.
func controlPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make the control stream: %w", err)
	}
	end := os.NewFile(uintptr(fds[0]), "control")
	defer func() { _ = end.Close() }()
	theirs = os.NewFile(uintptr(fds[1]), "control")
	ours, err = net.FileConn(end)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("make the control stream: %w", err)
	}
	return ours, theirs, nil
}

// child is a started sandbox, until it is a guest or has failed.
type child struct {
	pid      int
	owner    runtime.Owner
	control  net.Conn
	messages *json.Decoder
}

// proceed maps its ids, lets it go on and follows it until it is ready. Step is
// called with what it tells. The control stream is closed afterwards.
func (c *child) proceed(ctx context.Context, id identity, step func(sandbox.Message)) error {
	defer func() { _ = c.control.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.control.Close() })
	defer stop()
	if err := id.mapIDs(c.pid); err != nil {
		return err
	}
	if _, err := c.control.Write([]byte{sandbox.Go}); err != nil {
		return c.broken(ctx, err)
	}
	for {
		var m sandbox.Message
		if err := c.messages.Decode(&m); err != nil {
			return c.broken(ctx, err)
		}
		if m.Error != "" {
			return errors.New(m.Error)
		}
		step(m)
		if m.Ready {
			return nil
		}
	}
}

// giveUp ends a sandbox that has not been let go on.
func (c *child) giveUp() { _ = c.control.Close() }

func (c *child) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the guest program ended before it was ready")
	}
	return fmt.Errorf("follow the guest program: %w", err)
}

// onOwnThread calls f on a thread that ends afterwards, with whatever f did to
// it: entered a cgroup, left a mount namespace.
func onOwnThread(f func() error) error {
	result := make(chan error)
	go func() {
		goruntime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The process's first thread cannot end before the process. Another
			// goroutine gets another thread, while this one is held here.
			result <- onOwnThread(f)
			goruntime.UnlockOSThread()
			return
		}
		result <- f() // a goroutine that ends locked takes its thread with it
	}()
	return <-result
}

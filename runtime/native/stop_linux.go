package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/tree"
	"github.com/itechsmart/vm/runtime/native/sandbox"
)

// killTimeout bounds the time that a killed machine takes to be gone. Only a
// process that hangs in the kernel takes longer than milliseconds.
const killTimeout = 10 * time.Second

// Stop implements runtime.Driver.
func (d *Driver) Stop(ctx context.Context, ref runtime.Ref, grace time.Duration) error {
	f := d.layout.machine(ref)
	r, err := readRecord(ref, f)
	if err != nil {
		return err
	}
	if r.Phase == stopped {
		return nil
	}
	if r.state() == runtime.Running && grace > 0 {
		if err := askToEnd(ctx, f, r.init(), grace); err != nil {
			return err
		}
	}
	return d.halt(f, &r)
}

// askToEnd has every program of the machine told to end, and returns when they
// have, or the grace is over.
func askToEnd(ctx context.Context, f folder, init runtime.Owner, grace time.Duration) error {
	alive, err := tell(f, sandbox.Stop)
	if err != nil || !alive {
		return err
	}
	patience, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err = onProcess(init, func(fd int) error { return awaitEnd(patience, fd, init.PID) })
	if patience.Err() != nil {
		return ctx.Err() // of the caller; that the grace is over is no error
	}
	return err
}

// tell sends a byte to the machine's guest. It reports whether somebody lives who
// can read it.
func tell(f folder, word byte) (alive bool, err error) {
	pipe, err := os.OpenFile(f.stop(), os.O_WRONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open the stop pipe: %w", err)
	}
	defer func() { _ = pipe.Close() }()
	if _, err := pipe.Write([]byte{word}); err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EPIPE) {
		return false, fmt.Errorf("write to the stop pipe: %w", err)
	}
	return true, nil
}

// halt ends a machine's processes and frees all but its files.
func (d *Driver) halt(f folder, r *record) error {
	if err := d.release(f, *r); err != nil {
		return err
	}
	r.Phase, r.Init, r.Device, r.IP = stopped, "", "", ""
	return r.write(f)
}

// release ends what is left of a machine's processes and removes its cgroup and
// its uplink.
func (d *Driver) release(f folder, r record) error {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	// What stands still does not heed even SIGKILL; see cgroups(7), version 1.
	if err := d.cgroupOf(r).thaw(); err != nil {
		return err
	}
	if err := endProcess(ctx, r.init()); err != nil {
		return err
	}
	if err := endUnrecorded(ctx, f); err != nil {
		return err
	}
	if r.Spec.Network.Mode == runtime.NetworkFull {
		if err := disconnect(r.Spec.Ref, r.Device); err != nil {
			return err
		}
	}
	return d.cgroupOf(r).remove()
}

// endUnrecorded ends a machine whose record does not tell its process.
func endUnrecorded(ctx context.Context, f folder) error {
	const poll = 2 * time.Millisecond
	for {
		alive, err := tell(f, sandbox.Die)
		if err != nil || !alive {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the machine's process has not ended: %w", ctx.Err())
		case <-time.After(poll):
		}
	}
}

// cgroupOf returns the machine's cgroup, as far as this process can reach one.
func (d *Driver) cgroupOf(r record) machineCgroup {
	h, err := d.host()
	if err != nil {
		return machineCgroup{} // this host makes no machines, so there is none
	}
	return h.cgroups.of(r.Spec.Ref)
}

// endProcess kills a process and waits until it has ended. Its namespaces, and
// with them all processes and mounts in them, have gone before it.
func endProcess(ctx context.Context, process runtime.Owner) error {
	return onProcess(process, func(fd int) error {
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("end the machine's process %d: %w", process.PID, err)
		}
		return awaitEnd(ctx, fd, process.PID)
	})
}

// onProcess calls do with a pidfd, unless the process has ended.
func onProcess(process runtime.Owner, do func(fd int) error) error {
	if process.Gone() {
		return nil
	}
	fd, err := unix.PidfdOpen(process.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the machine's process %d: %w", process.PID, err)
	}
	defer func() { _ = unix.Close(fd) }()
	// Looked at again now that the descriptor holds the number.
	if process.Gone() {
		return nil
	}
	return do(fd)
}

// awaitEnd waits until the process of a pidfd has ended.
func awaitEnd(ctx context.Context, fd, pid int) error {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("wait for the machine: %w", err)
	}
	waker := os.NewFile(uintptr(wake), "wake")
	defer func() { _ = waker.Close() }()
	stop := context.AfterFunc(ctx, func() { _, _ = waker.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) })
	defer stop()
	for {
		events := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
		_, err := unix.Poll(events, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for the machine: %w", err)
		case events[0].Revents != 0:
			return nil
		case events[1].Revents != 0:
			return fmt.Errorf("the machine's process %d has not ended: %w", pid, ctx.Err())
		}
	}
}

// Destroy implements runtime.Driver.
func (d *Driver) Destroy(ctx context.Context, ref runtime.Ref) error {
	f := d.layout.machine(ref)
	r, err := readRecord(ref, f)
	if errors.Is(err, runtime.ErrNoMachine) {
		return d.removeUnrecorded(ref)
	}
	if err != nil {
		return err
	}
	if r.Phase != removing {
		r.Phase = removing
		// A full disk must not keep it from being emptied.
		if err := r.write(f); err != nil && !errors.Is(err, unix.ENOSPC) {
			return err
		}
	}
	if err := d.release(f, r); err != nil {
		return err
	}
	if err := d.removeFolder(ctx, f); err != nil {
		return fmt.Errorf("remove the files of %s: %w", ref, err)
	}
	return nil
}

// removeUnrecorded removes what a machine without a folder left. The folder goes
// last, so that is nothing, unless somebody took it away by hand.
func (d *Driver) removeUnrecorded(ref runtime.Ref) error {
	if d.identity().privileged {
		if err := disconnect(ref, ""); err != nil {
			return err
		}
	}
	return d.cgroupOf(record{Spec: runtime.Spec{Ref: ref}}).remove()
}

// removeFolder removes a machine's folder. What belongs to other ids than this
// user's is removed by a helper that has them.
func (d *Driver) removeFolder(ctx context.Context, f folder) error {
	if d.foreignFiles() {
		if _, err := d.errand(ctx, sandbox.Plan{Remove: f.volume()}); err != nil {
			return err
		}
	}
	err := tree.Remove(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// foreignFiles reports whether machines' files belong to ids that this process
// cannot act for.
func (d *Driver) foreignFiles() bool {
	h, err := d.host()
	return err == nil && h.identity.helpers
}

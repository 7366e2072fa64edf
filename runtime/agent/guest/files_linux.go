package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent"
)

// place makes a program's folder and files with the rights of its user, so that
// a link planted by the VM's code leads no further than that code could go
// itself.
func (m *machine) place(u *user, p Program) error {
	if info, err := os.Stat(p.Dir); err == nil && info.IsDir() && len(p.Files) == 0 && p.Scratch == "" {
		return nil // the usual case, without a change of user
	}
	return m.as(u, func() error { return m.placeAs(p) })
}

// as runs f, which works on files, with the rights of a user; nil = those of the
// guest.
func (m *machine) as(u *user, f func() error) error {
	m.disks <- struct{}{}
	defer func() { <-m.disks }()
	if u == nil {
		return f()
	}
	done := make(chan error)
	go func() { done <- u.impersonate(f) }()
	return <-done
}

// impersonate runs f with the user's rights on files. Those belong to a thread
// (setfsuid(2)): it must be called in a goroutine of its own, whose thread is
// given up with it when the rights cannot be taken back.
func (u *user) impersonate(f func() error) error {
	runtime.LockOSThread()
	groups, err := unix.Getgroups()
	if err != nil {
		return err
	}
	if !u.KeepGroups {
		if err := setThreadGroups(nil); err != nil {
			return err
		}
	}
	unix.SetfsgidRetGid(u.GID)
	unix.SetfsuidRetUid(u.UID)
	// A second call tells what the first did, for the system call cannot fail.
	if uid, _ := unix.SetfsuidRetUid(u.UID); uid != u.UID {
		return fmt.Errorf("%w: cannot act as user %d", ErrRefused, u.UID)
	}
	err = f()
	unix.SetfsuidRetUid(unix.Geteuid())
	unix.SetfsgidRetGid(unix.Getegid())
	if !u.KeepGroups && setThreadGroups(groups) != nil {
		return err
	}
	if uid, _ := unix.SetfsuidRetUid(-1); uid == unix.Geteuid() {
		runtime.UnlockOSThread()
	}
	return err
}

func (m *machine) placeAs(p Program) error {
	if err := m.survey(p); err != nil {
		return err
	}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return refused("make the working directory", err)
	}
	if p.Scratch != "" {
		if err := os.MkdirAll(p.Scratch, 0o755); err != nil {
			return refused("make the scratch folder", err)
		}
	}
	for _, f := range p.Files {
		if err := os.MkdirAll(path.Dir(f.Path), 0o755); err != nil {
			return refused("make a folder", err)
		}
		if err := write(f); err != nil {
			return refused("write a file", err)
		}
	}
	return nil
}

// survey refuses what the kernel would refuse a user who owns no system folders.
func (m *machine) survey(p Program) error {
	if !m.ownsRoot || p.Root {
		return nil
	}
	g := ground{m.config.Home}
	if err := g.checkFolder(p.Dir); err != nil {
		return refused("make the working directory", err)
	}
	for _, f := range p.Files {
		if err := g.checkFile(f.Path); err != nil {
			return refused("write a file", err)
		}
	}
	return nil
}

// write writes one file. A pipe or device in its place is an error, not a wait.
func write(f agent.File) (err error) {
	mode := fs.FileMode(f.Mode).Perm()
	if f.Mode == 0 {
		mode = 0o644
	}
	fd, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NONBLOCK, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fd.Close()) }()
	info, err := fd.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "write", Path: f.Path, Err: errors.New("not a regular file")}
	}
	if _, err := fd.Write(f.Data); err != nil {
		return err
	}
	return fd.Chmod(mode)
}

// refused says why a run cannot begin. A full disk is no refusal but the run's
// own verdict.
func refused(doing string, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("cannot %s: %w", doing, err)
	}
	return fmt.Errorf("%w: cannot %s: %w", ErrRefused, doing, err)
}

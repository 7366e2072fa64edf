package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/native/internal/beneath"
	"github.com/itechsmart/vm/runtime/native/internal/mount"
)

// meetingPoint is where the machine's root is attached until it is the root.
// Any folder would do that every Linux has and that no mount is made from by
// path afterwards.
const meetingPoint = "/sys"

// assemble makes plan's file system the process's root and returns the agent's
// program in it, open.
//
// All mounts are made first, while the host's paths are still there, and put in
// place afterwards. Targets are resolved by the kernel inside the machine's own
// root, because an image or an earlier run may have made any of them a link.
func assemble(plan Plan) (agent *os.File, err error) {
	// Nothing done here may travel back to the host.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make the mounts private: %w", err)
	}
	root, err := obtain(plan.Root)
	if err != nil {
		return nil, err
	}
	pieces := make([]piece, 0, len(plan.Mounts)+40)
	for _, m := range plan.Mounts {
		file, err := obtain(m)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, piece{m.Target, file})
	}
	dev, err := deviceMounts(plan)
	if err != nil {
		return nil, err
	}
	proc, err := procMounts()
	if err != nil {
		return nil, err
	}
	pieces = append(append(pieces, dev...), proc...)
	agent, err = obtain(plan.Agent)
	if err != nil {
		return nil, err
	}

	if err := mount.AttachAt(root, meetingPoint); err != nil {
		return nil, err
	}
	for _, p := range pieces {
		if err := p.attach(int(root.Fd())); err != nil {
			return nil, err
		}
	}
	if err := finishDevices(int(root.Fd())); err != nil {
		return nil, err
	}
	if err := protectProc(int(root.Fd())); err != nil {
		return nil, err
	}
	return agent, enter(root)
}

// obtain returns the detached mount that m describes.
func obtain(m Mount) (*os.File, error) {
	switch {
	case m.FD != 0:
		return os.NewFile(uintptr(m.FD), m.Target), nil
	case m.Overlay != nil:
		return mount.Overlay(mount.Layers{
			Lower: m.Overlay.Lower, Upper: m.Overlay.Upper, Work: m.Overlay.Work, UserXattr: true,
		})
	default:
		return mount.ReadOnlyTree(m.Source)
	}
}

// enter makes root the root of the mount namespace and drops the old one.
func enter(root *os.File) error {
	if err := unix.Fchdir(int(root.Fd())); err != nil {
		return fmt.Errorf("enter the machine's root: %w", err)
	}
	// With both arguments the same, the old root ends up on top of the new one
	// and needs no folder in it; see pivot_root(2).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	return nil
}

// piece is a detached mount and where in the machine it goes.
type piece struct {
	target string
	mount  *os.File
}

func (p piece) attach(root int) error {
	target, err := p.openTarget(root)
	if err != nil {
		return fmt.Errorf("prepare %s: %w", p.target, err)
	}
	defer func() { _ = unix.Close(target) }()
	if err := mount.Attach(p.mount, target); err != nil {
		return err
	}
	return p.mount.Close()
}

// openTarget opens what the piece covers, made when it is missing.
func (p piece) openTarget(root int) (int, error) {
	fd, err := beneath.Open(root, p.target)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	parent, err := beneath.MakeFolders(root, path.Dir(p.target))
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(parent) }()
	var stat unix.Stat_t
	if err := unix.Fstatat(int(p.mount.Fd()), "", &stat, unix.AT_EMPTY_PATH); err != nil {
		return -1, err
	}
	base := path.Base(p.target)
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		err = unix.Mkdirat(parent, base, 0o755)
	} else {
		err = unix.Mknodat(parent, base, unix.S_IFREG|0o644, 0)
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return beneath.Open(root, p.target)
}

package native

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/mount"
)

// inVolume calls do on a thread of its own on which the machine's volume is
// mounted, in a mount namespace that ends with the thread.
func inVolume(ctx context.Context, f folder, r record, do func() error) error {
	disk, err := holdDisk(ctx, f, r)
	if err != nil {
		return err
	}
	defer func() { _ = disk.Close() }() // of nil too
	return onVolume(f, disk, do)
}

// onVolume is inVolume with the machine's disk, nil when it has none, which stays
// in use until the caller closes it. It cannot be attached again.
func onVolume(f folder, disk *os.File, do func() error) error {
	return onOwnThread(func() error {
		if err := privateMounts(); err != nil {
			return err
		}
		if disk != nil {
			if err := mount.AttachAt(disk, f.volume()); err != nil {
				return err
			}
		}
		return do()
	})
}

// holdDisk mounts a machine's disk, detached: that of a running one, which is in
// use, or that of a stopped one. It returns nil when there is none. The caller
// closes it.
func holdDisk(ctx context.Context, f folder, r record) (*os.File, error) {
	switch {
	case !r.Disk:
		return nil, nil
	case r.state() == runtime.Running:
		disk, _, err := mountAttached(f.disk(), r.Loop)
		return disk, err
	}
	if err := awaitDetached(ctx, f.disk()); err != nil {
		return nil, err
	}
	disk, _, err := mountDisk(f.disk())
	return disk, err
}

// privateMounts gives the calling thread mounts, and a working directory, of its
// own.
func privateMounts() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("leave the host's mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	return nil
}

// lockLayers waits until nobody else is at work on the machine's layers. The
// caller calls unlock; the end of the process does too.
func lockLayers(f folder) (unlock func(), err error) {
	file, err := os.OpenFile(f.lock(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the machine's layers: %w", err)
	}
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX)
		switch err {
		case nil:
			return func() { _ = file.Close() }, nil
		case unix.EINTR:
		default:
			_ = file.Close()
			return nil, fmt.Errorf("lock the machine's layers: %w", err)
		}
	}
}

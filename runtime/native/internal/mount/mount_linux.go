// Package mount makes mounts that are attached nowhere yet. A detached mount is
// a file descriptor: it can be configured in peace, handed to another process
// and put in place there, and it vanishes when nobody holds it any more.
package mount

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Attributes of a mount, for New and Set.
const (
	ReadOnly = unix.MOUNT_ATTR_RDONLY
	NoSUID   = unix.MOUNT_ATTR_NOSUID
	NoDev    = unix.MOUNT_ATTR_NODEV
	NoExec   = unix.MOUNT_ATTR_NOEXEC
)

// Option of a file system: a flag when Value is empty.
type Option struct{ Key, Value string }

// New makes a file system of the given type. The caller closes the file.
func New(fstype string, attributes int, options ...Option) (*os.File, error) {
	fs, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open a %s file system: %w", fstype, err)
	}
	defer func() { _ = unix.Close(fs) }()
	for _, o := range options {
		if o.Value == "" {
			err = unix.FsconfigSetFlag(fs, o.Key)
		} else {
			err = unix.FsconfigSetString(fs, o.Key, o.Value)
		}
		if err != nil {
			return nil, explain(fs, fmt.Errorf("%s option %s: %w", fstype, o.Key, err))
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, explain(fs, fmt.Errorf("create a %s file system: %w", fstype, err))
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attributes)
	if err != nil {
		return nil, explain(fs, fmt.Errorf("mount a %s file system: %w", fstype, err))
	}
	return os.NewFile(uintptr(fd), fstype), nil
}

// explain adds what the kernel has to say about a failed step: it keeps a line
// for it on the file system's own descriptor.
func explain(fs int, err error) error {
	line := make([]byte, 512)
	n, readErr := unix.Read(fs, line)
	if readErr != nil || n == 0 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.TrimSpace(string(line[:n])))
}

// Tree is a copy of everything mounted at path and below it. A symbolic link at
// the end of path is not followed. The caller closes the file.
func Tree(path string) (*os.File, error) {
	const flags = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_RECURSIVE | unix.AT_SYMLINK_NOFOLLOW
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, flags)
	if err != nil {
		return nil, fmt.Errorf("bind %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// ReadOnlyTree is a Tree in which nothing can be written, no device opened and
// no privilege gained.
func ReadOnlyTree(path string) (*os.File, error) {
	tree, err := Tree(path)
	if err != nil {
		return nil, err
	}
	if err := Set(tree, ReadOnly|NoSUID|NoDev); err != nil {
		_ = tree.Close()
		return nil, err
	}
	return tree, nil
}

// Set adds attributes to a mount and all below it.
func Set(mount *os.File, attributes uint64) error {
	err := unix.MountSetattr(int(mount.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attributes})
	if err != nil {
		return fmt.Errorf("change the attributes of mount %s: %w", mount.Name(), err)
	}
	return nil
}

// MapIDs shows the owners of a detached mount and all below it as the user
// namespace maps them: what belongs to the host's root belongs to the
// namespace's. Not every file system can do it.
func MapIDs(mount, userNamespace *os.File) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userNamespace.Fd())}
	err := unix.MountSetattr(int(mount.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr)
	if err != nil {
		return fmt.Errorf("map the owners of mount %s: %w", mount.Name(), err)
	}
	return nil
}

// Attach puts a detached mount on top of target, an open file or folder.
func Attach(mount *os.File, target int) error {
	const flags = unix.MOVE_MOUNT_F_EMPTY_PATH | unix.MOVE_MOUNT_T_EMPTY_PATH
	if err := unix.MoveMount(int(mount.Fd()), "", target, "", flags); err != nil {
		return fmt.Errorf("attach mount %s: %w", mount.Name(), err)
	}
	return nil
}

// AttachAt is Attach on a path that the caller trusts.
func AttachAt(mount *os.File, path string) error {
	err := unix.MoveMount(int(mount.Fd()), "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("attach mount %s at %s: %w", mount.Name(), path, err)
	}
	return nil
}

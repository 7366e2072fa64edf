// Package beneath resolves paths in a tree that somebody else filled. Every link
// in it is followed as if the tree's root were the root of everything, by the
// kernel itself, so no path leads out of it whatever changes meanwhile.
package beneath

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Open opens a path below root as a place (O_PATH). The caller closes it.
func Open(root int, name string) (int, error) {
	return open(root, name, unix.O_PATH, inRoot)
}

// Folder opens a folder below root. The caller closes it.
func Folder(root int, name string) (int, error) {
	return open(root, name, unix.O_PATH|unix.O_DIRECTORY, inRoot)
}

// File opens a file below root for reading. The caller closes it.
func File(root int, name string) (int, error) {
	return open(root, name, unix.O_RDONLY|unix.O_NONBLOCK, inRoot)
}

// Exact opens a path below root in which there is no link: one in it, or as the
// last of it, fails with ELOOP, and so does another mount with EXDEV. The caller
// closes it.
func Exact(root int, name string, flags uint64) (int, error) {
	return open(root, name, flags, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
}

const inRoot = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// tries of one open: openat2(2) gives EAGAIN when something anywhere on the
// machine was mounted or renamed at that moment, and leaves it to us to repeat.
const tries = 1000

func open(root int, name string, flags, resolve uint64) (fd int, err error) {
	how := &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve}
	for range tries {
		if fd, err = unix.Openat2(root, name, how); err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return -1, fmt.Errorf("open %s: %w", name, err)
}

// MakeFolders opens a folder below root, made with its parents where missing.
// The caller closes it.
func MakeFolders(root int, name string) (int, error) {
	current := "/"
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+name), "/"), "/") {
		if part == "" {
			continue
		}
		parent, err := Folder(root, current)
		if err != nil {
			return -1, err
		}
		err = unix.Mkdirat(parent, part, 0o755)
		_ = unix.Close(parent)
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, fmt.Errorf("make folder %s: %w", name, err)
		}
		current = path.Join(current, part)
	}
	return Folder(root, current)
}

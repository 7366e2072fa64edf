package layer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Untouched reports whether upper, which was made empty on the layers below, the
// uppermost first, still shows nothing but what they do. Whatever was written,
// removed or changed since has left an entry in upper or changed upper itself: an
// overlay copies a file up before it lets anybody change it.
//
// One folder of the root, spare, may have been used and emptied again; only its
// times tell of it, and they do not count.
//
// Upper may be in use meanwhile. Then true means: so it was at one moment while
// the call lasted.
func Untouched(upper string, below []string, spare string) (bool, error) {
	root, err := openFolder(unix.AT_FDCWD, upper)
	if err != nil {
		return false, fmt.Errorf("look at the layer: %w", err)
	}
	defer func() { _ = root.Close() }()
	before, untouched, err := sameRoot(root, below)
	if err != nil || !untouched {
		return false, err
	}
	untouched, err = holdsAtMost(root, below, spare)
	if err != nil || !untouched {
		return false, err
	}
	// The spare folder was empty at a moment at which the root had nothing else,
	// if the root did not change around it.
	var after unix.Stat_t
	if err := unix.Fstat(int(root.Fd()), &after); err != nil {
		return false, fmt.Errorf("look at the layer: %w", err)
	}
	return before.Ctim == after.Ctim, nil
}

// sameRoot reports whether a layer's root is as it was made: like that of the
// layer right below.
func sameRoot(root *os.File, below []string) (unix.Stat_t, bool, error) {
	var stat, made unix.Stat_t
	if err := unix.Fstat(int(root.Fd()), &stat); err != nil {
		return stat, false, fmt.Errorf("look at the layer: %w", err)
	}
	like, err := openFolder(unix.AT_FDCWD, below[0])
	if err != nil {
		return stat, false, fmt.Errorf("look at the layer: %w", err)
	}
	defer func() { _ = like.Close() }()
	if err := unix.Fstat(int(like.Fd()), &made); err != nil {
		return stat, false, fmt.Errorf("look at the layer: %w", err)
	}
	if stat.Mtim != made.Mtim {
		return stat, false, nil
	}
	same, err := alike(root, like)
	return stat, same, err
}

// holdsAtMost reports whether there is nothing in a layer's root but the spare
// folder, empty and like that below.
func holdsAtMost(root *os.File, below []string, spare string) (bool, error) {
	names, err := firstNames(root)
	if err != nil || len(names) == 0 {
		return err == nil, err
	}
	if len(names) > 1 || names[0] != spare {
		return false, nil
	}
	used, err := openFolder(int(root.Fd()), spare)
	if err != nil {
		return false, ignoreNoFolder(err)
	}
	defer func() { _ = used.Close() }()
	if names, err := firstNames(used); err != nil || len(names) > 0 {
		return false, err
	}
	like, err := uppermost(below, spare)
	if err != nil {
		return false, ignoreNoFolder(err)
	}
	defer func() { _ = like.Close() }()
	return alike(used, like)
}

// uppermost opens a folder of the root in the first of the layers that has it.
func uppermost(layers []string, name string) (*os.File, error) {
	for _, path := range layers {
		layer, err := openFolder(unix.AT_FDCWD, path)
		if err != nil {
			return nil, err
		}
		folder, err := openFolder(int(layer.Fd()), name)
		_ = layer.Close()
		if !errors.Is(err, unix.ENOENT) {
			return folder, err
		}
	}
	return nil, unix.ENOENT
}

// openFolder opens a folder for reading; a link, pipe or device in its place is
// an error, not a way elsewhere and not a wait.
func openFolder(at int, name string) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// ignoreNoFolder drops an error that says that there is no folder of a name.
func ignoreNoFolder(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	return fmt.Errorf("look at the layer: %w", err)
}

// firstNames lists at most two entries of a folder.
func firstNames(folder *os.File) ([]string, error) {
	names, err := folder.Readdirnames(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("look at the layer: %w", err)
	}
	return names, nil
}

// alike reports whether two folders have the same owner, mode and extended
// attributes, apart from the overlay's own, and neither hides what is below it.
func alike(a, b *os.File) (bool, error) {
	var first, second unix.Stat_t
	if err := errors.Join(unix.Fstat(int(a.Fd()), &first), unix.Fstat(int(b.Fd()), &second)); err != nil {
		return false, fmt.Errorf("look at the layer: %w", err)
	}
	if first.Mode != second.Mode || first.Uid != second.Uid || first.Gid != second.Gid {
		return false, nil
	}
	firstOnes, plain, err := attributesOf(a)
	if err != nil || !plain {
		return false, err
	}
	secondOnes, _, err := attributesOf(b)
	return bytes.Equal(firstOnes, secondOnes), err
}

// attributesOf returns a folder's extended attributes that are not the overlay's.
// It is plain when no mark of the overlay gives it another meaning than that of a
// folder on top of another.
func attributesOf(folder *os.File) (own []byte, plain bool, err error) {
	fd := int(folder.Fd())
	names, err := attribute(func(buffer []byte) (int, error) { return unix.Flistxattr(fd, buffer) })
	if err != nil {
		return nil, false, fmt.Errorf("look at the layer: %w", err)
	}
	plain = true
	for name := range strings.SplitSeq(string(names), "\x00") {
		if name == "" {
			continue
		}
		if mark, marks := overlayMark(name); marks {
			// Where it came from, and that what was merged lies in it.
			plain = plain && (mark == "origin" || mark == "impure" || mark == "uuid")
			continue
		}
		value, err := attribute(func(buffer []byte) (int, error) { return unix.Fgetxattr(fd, name, buffer) })
		if err != nil {
			return nil, false, fmt.Errorf("look at the layer: %w", err)
		}
		own = fmt.Appendf(own, "%q=%q ", name, value)
	}
	return own, plain, nil
}

// overlayMark returns the overlay's name for an extended attribute of its own.
func overlayMark(name string) (mark string, marks bool) {
	for _, prefix := range []string{"trusted.overlay.", "user.overlay."} {
		if mark, marks := strings.CutPrefix(name, prefix); marks {
			return mark, true
		}
	}
	return "", false
}

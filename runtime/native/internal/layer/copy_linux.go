// Package layer copies and merges the layers of a machine's files: folders that
// are stacked by an overlay, whiteouts and marks included. Nobody may change them
// meanwhile. Links in them are never followed.
package layer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Copy makes target, which must not exist, a copy of source: content with its
// holes, owners, modes, links, times and extended attributes.
func Copy(ctx context.Context, source, target string) error {
	c := copier{ctx: ctx, links: map[uint64]string{}}
	return c.copy(source, target)
}

// copier makes one copy.
type copier struct {
	ctx   context.Context
	links map[uint64]string // by inode, of files with several names: where the first is
}

func (c *copier) copy(source, target string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	var stat unix.Stat_t
	if err := unix.Lstat(source, &stat); err != nil {
		return fmt.Errorf("copy %s: %w", filepath.Base(source), err)
	}
	kind := stat.Mode & unix.S_IFMT
	if kind != unix.S_IFDIR && stat.Nlink > 1 {
		if first, seen := c.links[stat.Ino]; seen {
			return os.Link(first, target)
		}
		c.links[stat.Ino] = target
	}
	var err error
	switch kind {
	case unix.S_IFDIR:
		err = c.folder(source, target)
	case unix.S_IFREG:
		err = content(source, target)
	case unix.S_IFLNK:
		var to string
		if to, err = os.Readlink(source); err == nil {
			err = os.Symlink(to, target)
		}
	default:
		err = unix.Mknod(target, stat.Mode, int(stat.Rdev))
	}
	if err == nil {
		err = attributes(source, target, &stat)
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", filepath.Base(source), err)
	}
	return nil
}

func (c *copier) folder(source, target string) error {
	entries, err := os.ReadDir(source)
	if err != nil {
		return err
	}
	if err := os.Mkdir(target, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		if err := c.copy(filepath.Join(source, e.Name()), filepath.Join(target, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// content copies what a file holds, leaving its holes out.
func content(source, target string) error {
	from, err := os.OpenFile(source, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if err := to.Truncate(info.Size()); err != nil {
		return err
	}
	for end := int64(0); ; {
		begin, err := from.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // nothing but a hole from here on
		}
		if err != nil {
			return err
		}
		if end, err = from.Seek(begin, unix.SEEK_HOLE); err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(to, begin), io.NewSectionReader(from, begin, end-begin)); err != nil {
			return err
		}
	}
}

// Attributes gives target the owner, mode, times and extended attributes of
// source.
func Attributes(source, target string) error {
	var stat unix.Stat_t
	if err := unix.Lstat(source, &stat); err != nil {
		return err
	}
	return attributes(source, target, &stat)
}

// attributes sets the times last, since all else changes them, and the mode after
// the owner, whose change takes set-id bits away.
func attributes(source, target string, stat *unix.Stat_t) error {
	if err := unix.Lchown(target, int(stat.Uid), int(stat.Gid)); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Chmod(target, stat.Mode&0o7777); err != nil {
			return err
		}
	}
	if err := extended(source, target); err != nil {
		return err
	}
	times := []unix.Timespec{stat.Atim, stat.Mtim}
	return unix.UtimesNanoAt(unix.AT_FDCWD, target, times, unix.AT_SYMLINK_NOFOLLOW)
}

func extended(source, target string) error {
	names, err := attribute(func(buffer []byte) (int, error) { return unix.Llistxattr(source, buffer) })
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(string(names), "\x00") {
		if name == "" {
			continue
		}
		value, err := attribute(func(buffer []byte) (int, error) { return unix.Lgetxattr(source, name, buffer) })
		if err != nil {
			return err
		}
		if err := unix.Lsetxattr(target, name, value, 0); err != nil {
			return err
		}
	}
	return nil
}

// attribute reads something whose size is asked for first.
func attribute(read func([]byte) (int, error)) ([]byte, error) {
	size, err := read(nil)
	if err != nil || size == 0 {
		return nil, err
	}
	buffer := make([]byte, size)
	size, err = read(buffer)
	return buffer[:max(0, size)], err
}

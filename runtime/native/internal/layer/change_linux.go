package layer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/beneath"
)

// pair tells visit of a path, if the two entries there differ.
func (c *comparison) pair(at string, p pair) error {
	change := runtime.FileChange{Path: "/" + at, Before: p.before.state(at), After: p.after.state(at)}
	switch {
	case change.Before == nil && change.After == nil:
		return nil
	case change.Before == nil || change.After == nil:
		return c.visit(change)
	}
	if p.before.kind() == unix.S_IFREG && p.after.kind() == unix.S_IFREG {
		same, err := c.sameContent(at, p.before, p.after)
		if err != nil {
			return err
		}
		change.Content = !same
	}
	if !change.Content && change.Before.Same(*change.After) {
		return nil
	}
	return c.visit(change)
}

// state describes an entry; nil when there is none.
func (e entry) state(at string) *runtime.FileState {
	if !e.there {
		return nil
	}
	s := &runtime.FileState{Mode: fileMode(e.stat.Mode), UID: e.stat.Uid, GID: e.stat.Gid, Target: e.target}
	if e.kind() != unix.S_IFREG {
		return s
	}
	s.Size = e.stat.Size
	s.Read = func(limit int64) ([]byte, error) {
		f, err := e.open(at)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		data, err := io.ReadAll(io.LimitReader(f, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = fmt.Errorf("%s has more than %d bytes", at, limit)
		}
		return data, err
	}
	return s
}

// fileMode is st_mode as Go has it.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for _, bit := range []struct {
		kernel uint32
		mode   fs.FileMode
	}{{unix.S_ISUID, fs.ModeSetuid}, {unix.S_ISGID, fs.ModeSetgid}, {unix.S_ISVTX, fs.ModeSticky}} {
		if mode&bit.kernel != 0 {
			m |= bit.mode
		}
	}
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		m |= fs.ModeDir
	case unix.S_IFLNK:
		m |= fs.ModeSymlink
	case unix.S_IFIFO:
		m |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		m |= fs.ModeSocket
	case unix.S_IFCHR:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		m |= fs.ModeDevice
	}
	return m
}

var errUnfit = errors.New("it is no regular file any more")

// open opens a regular file to be read. First as a place, which waits for no
// pipe and starts no device, whatever a program has put there meanwhile.
func (e entry) open(at string) (*os.File, error) {
	place, err := beneath.Exact(e.in.fd, at, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(place) }()
	var stat unix.Stat_t
	if err := unix.Fstat(place, &stat); err != nil {
		return nil, err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, &fs.PathError{Op: "read", Path: at, Err: errUnfit}
	}
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", place))
}

// sameContent compares two regular files. A file that has gone meanwhile, or
// become something else, is another.
func (c *comparison) sameContent(at string, before, after entry) (bool, error) {
	if before.stat.Dev == after.stat.Dev && before.stat.Ino == after.stat.Ino {
		return true, nil
	}
	if before.stat.Size != after.stat.Size {
		return false, nil
	}
	a, err := before.open(at)
	if err != nil {
		return false, unlessVanished(err)
	}
	defer func() { _ = a.Close() }()
	b, err := after.open(at)
	if err != nil {
		return false, unlessVanished(err)
	}
	defer func() { _ = b.Close() }()
	return sameBytes(c.ctx, a, b, before.stat.Size)
}

func unlessVanished(err error) error {
	if vanished(err) || errors.Is(err, errUnfit) {
		return nil
	}
	return err
}

// sameBytes compares size bytes of two files. Where both have holes nothing is
// read, so that it takes no longer than what they take up on the disk.
func sameBytes(ctx context.Context, a, b *os.File, size int64) (bool, error) {
	p, q := make([]byte, 256<<10), make([]byte, 256<<10)
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		dataA, err := nextData(a, at, size)
		if err != nil {
			return false, err
		}
		dataB, err := nextData(b, at, size)
		if err != nil {
			return false, err
		}
		if at = min(dataA, dataB); at >= size {
			break
		}
		n, err := a.ReadAt(p, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		m, err := b.ReadAt(q, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if n == 0 || !bytes.Equal(p[:n], q[:m]) {
			return false, nil // shorter than it was, or other bytes
		}
		at += int64(n)
	}
	return true, nil
}

// nextData is where the next bytes that are no hole begin; size when there are
// none.
func nextData(f *os.File, from, size int64) (int64, error) {
	at, err := f.Seek(from, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, nil
	}
	return at, err
}

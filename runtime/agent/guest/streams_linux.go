package guest

import (
	"errors"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// namedPipes are Streams. Until they are handed over, theirs hold both ends of
// each, so that neither side meets an end of file, or a wait, before the other is
// there.
type namedPipes struct{ pipes }

// Streams implements Starter.
func (m *machine) Streams(p Program) (Streams, error) {
	u := m.user
	if p.Root {
		u = nil
	}
	n := new(namedPipes)
	err := m.as(u, func() error {
		if err := m.placeAs(p); err != nil {
			return err
		}
		for i, name := range [...]string{"stdin", "stdout", "stderr"} {
			if err := n.open(i, path.Join(p.Scratch, name)); err != nil {
				return refused("make a pipe", err)
			}
		}
		return nil
	})
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func (n *namedPipes) open(i int, name string) error {
	if err := unix.Mkfifo(name, 0o600); err != nil {
		return &os.PathError{Op: "mkfifo", Path: name, Err: err}
	}
	const flags = unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOFOLLOW
	way := unix.O_RDONLY
	if i == 0 {
		way = unix.O_WRONLY
	}
	theirs, err := unix.Open(name, unix.O_RDWR|flags, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	n.theirs[i] = os.NewFile(uintptr(theirs), name)
	ours, err := unix.Open(name, way|flags, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	n.ours[i] = os.NewFile(uintptr(ours), name)
	return nil
}

// Stdin implements Streams.
func (n *namedPipes) Stdin() io.WriteCloser { return n.ours[0] }

// Stdout implements Streams.
func (n *namedPipes) Stdout() io.Reader { return n.ours[1] }

// Stderr implements Streams.
func (n *namedPipes) Stderr() io.Reader { return n.ours[2] }

// HandOver implements Streams.
func (n *namedPipes) HandOver() { _ = n.closeTheirs() }

// Close implements Streams.
func (n *namedPipes) Close() error { return errors.Join(n.closeTheirs(), n.pipes.Close()) }

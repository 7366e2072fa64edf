package guest

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// pipes are a program's three standard streams.
type pipes struct {
	ours   [3]*os.File // write end of stdin, read ends of the outputs; do not block a thread
	theirs [3]*os.File
}

// newPipes makes pipes that belong to u, who may then open them by name too, as
// /dev/stdout.
func newPipes(u *user) (*pipes, error) {
	p := new(pipes)
	for i := range p.ours {
		if err := p.open(i, u); err != nil {
			p.Close()
			p.closeTheirs()
			return nil, err
		}
	}
	return p, nil
}

func (p *pipes) open(i int, u *user) error {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	ours, theirs := fds[0], fds[1]
	if i == 0 {
		ours, theirs = theirs, ours
	}
	if u != nil {
		_ = unix.Fchown(theirs, u.UID, u.GID) // a convenience, no more
	}
	err := unix.SetNonblock(ours, true)
	p.ours[i] = os.NewFile(uintptr(ours), "pipe")
	p.theirs[i] = os.NewFile(uintptr(theirs), "pipe")
	return err
}

func (p *pipes) closeTheirs() error { return closeFiles(p.theirs[:]) }

// Close closes the guest's ends; it may be repeated.
func (p *pipes) Close() error { return closeFiles(p.ours[:]) }

func closeFiles(files []*os.File) error {
	var errs []error
	for _, f := range files {
		if f == nil {
			continue
		}
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

package guest

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent"
)

// openTerminal makes a pseudo-terminal of the machine's own devpts in place of
// the three pipes. It belongs to u, who may open it by name too.
func (m *machine) openTerminal(u *user, window agent.Window) (*pipes, error) {
	p := new(pipes)
	err := m.as(u, func() error { return p.openTerminal(window) })
	if err != nil {
		p.Close()
		p.closeTheirs()
		return nil, fmt.Errorf("make a terminal: %w", err)
	}
	return p, nil
}

func (p *pipes) openTerminal(window agent.Window) error {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	ours := os.NewFile(uintptr(fd), "terminal")
	p.ours[0], p.ours[1] = ours, ours
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	// By the master's descriptor: a path could lead to another devpts.
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return errno
	}
	theirs := os.NewFile(peer, "terminal")
	p.theirs = [3]*os.File{theirs, theirs, theirs}
	// Erasing a character takes all its bytes.
	mode, err := unix.IoctlGetTermios(int(peer), unix.TCGETS)
	if err != nil {
		return err
	}
	mode.Iflag |= unix.IUTF8
	if err := unix.IoctlSetTermios(int(peer), unix.TCSETS, mode); err != nil {
		return err
	}
	if err := setWindow(fd, window); err != nil {
		return err
	}
	// All output is one stream; the other one is at its end.
	quiet, end, err := os.Pipe()
	if err != nil {
		return err
	}
	p.ours[2] = quiet
	return end.Close()
}

func setWindow(fd int, window agent.Window) error {
	return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: window.Rows, Col: window.Cols})
}

// Resize implements terminalProcess.
func (p *process) Resize(window agent.Window) error {
	raw, err := p.pipes.ours[0].SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = setWindow(int(fd), window) })
	if errors.Is(err, os.ErrClosed) {
		return nil // it has ended
	}
	return errors.Join(err, failed)
}

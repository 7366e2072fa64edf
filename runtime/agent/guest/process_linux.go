package guest

import (
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// process is a program below a supervisor.
type process struct {
	machine *machine
	worker  *worker
	pipes   *pipes

	end report // of exited, then of finished

	mu    sync.Mutex // guards alive
	alive bool       // the supervisor is this program's
}

// Stdin implements Process.
func (p *process) Stdin() io.WriteCloser { return p.pipes.ours[0] }

// Stdout implements Process.
func (p *process) Stdout() io.Reader { return p.pipes.ours[1] }

// Stderr implements Process.
func (p *process) Stderr() io.Reader { return p.pipes.ours[2] }

// Close implements Process.
func (p *process) Close() error { return p.pipes.Close() }

// Signal implements Process.
func (p *process) Signal(number int) error {
	p.order(order{Op: "signal", Signal: number})
	return nil
}

// Kill implements Process.
func (p *process) Kill() { p.order(order{Op: "kill"}) }

// order reaches the supervisor while it is this program's.
func (p *process) order(o order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive {
		return
	}
	o.Seq = p.worker.seq
	_ = p.worker.control.send(o) // a dead supervisor is noticed by Wait
}

// Wait implements Process.
func (p *process) Wait() Exit {
	var err error
	if p.end, err = p.worker.hear(); err != nil {
		p.end = report{Signal: sigkill}
		p.leave()
		p.worker.dismiss()
		return Exit{Signal: sigkill}
	}
	if p.end.Alone {
		p.free()
	}
	return Exit{Code: p.end.Code, Signal: p.end.Signal}
}

// Finish implements Process.
func (p *process) Finish(detach bool) Usage {
	if p.isAlive() {
		p.order(order{Op: "finish", Detach: detach})
		end, err := p.worker.hear()
		switch {
		case err != nil:
			p.leave()
			p.worker.dismiss()
		case detach:
			p.end = end
			go p.outlive()
		default:
			p.end = end
			p.free()
		}
	}
	return Usage{CPU: p.end.CPU, PeakMemory: p.end.Peak}
}

// outlive waits for the end of a detached tree, whose supervisor ends with it.
func (p *process) outlive() {
	_, _ = p.worker.hear()
	p.leave()
	p.worker.dismiss()
}

// free gives the supervisor back.
func (p *process) free() {
	p.leave()
	if p.end.Retire {
		p.worker.dismiss()
		return
	}
	p.machine.release(p.worker)
}

func (p *process) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alive = false
}

func (p *process) isAlive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alive
}

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
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			p.Close()
			p.closeTheirs()
			return nil, err
		}
		ours, theirs := fds[0], fds[1]
		if i == 0 {
			ours, theirs = theirs, ours
		}
		if u != nil {
			_ = unix.Fchown(theirs, u.UID, u.GID) // only a convenience
		}
		err := unix.SetNonblock(ours, true)
		p.ours[i] = os.NewFile(uintptr(ours), "pipe")
		p.theirs[i] = os.NewFile(uintptr(theirs), "pipe")
		if err != nil {
			p.Close()
			p.closeTheirs()
			return nil, err
		}
	}
	return p, nil
}

func (p *pipes) closeTheirs() { closeFiles(p.theirs[:]) }

// Close closes the guest's ends; it may be repeated.
func (p *pipes) Close() error { return closeFiles(p.ours[:]) }

func closeFiles(files []*os.File) error {
	var errs []error
	for _, f := range files {
		if f != nil {
			if err := f.Close(); !errors.Is(err, os.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

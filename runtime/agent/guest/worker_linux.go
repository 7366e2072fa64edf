package guest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// worker is the guest's hold on one supervisor process.
type worker struct {
	pid     int
	control control
	reaper  *reaper
	gone    <-chan struct{} // closed when the process was reaped
	seq     int             // of the program started last
	spent   bool            // not fit for another program
	words   testament
	fall    sync.Once
	starved bool // set by destroy: it died because it got no thread

	breed  string       // of the zygote that was hatched last; "" = none
	forks  int          // programs forked from it
	zygote atomic.Int64 // its pid while it lives
}

// spawn starts a supervisor.
func spawn(r *reaper, config Config) (*worker, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	defer unix.Close(pair[1])
	c, err := newControl(pair[0])
	if err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	words, err := newTestament()
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	pid, gone, err := r.fork("/proc/self/exe", superviseArgs(config), &syscall.ProcAttr{
		// A single processor and an early collector keep it small.
		Env:   []string{"GOMAXPROCS=1", "GOGC=50"},
		Files: append([]uintptr{0, 1, words.Fd(), uintptr(pair[1])}, config.workload().descriptors()...),
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		c.Close()
		words.Close()
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	return &worker{pid: pid, control: c, reaper: r, gone: gone, words: words}, nil
}

// errSupervisor: the supervisor itself is dead or talks nonsense.
var errSupervisor = errors.New("supervisor lost")

// startLimit is how long a supervisor may take to start a program.
const startLimit = 30 * time.Second

// start has the worker start a program with three pipes, or fork it when it has a
// zygote of the breed.
func (w *worker) start(c *command, breed string, pipes [3]*os.File) (forked bool, err error) {
	w.seq++
	w.wake()
	_ = w.control.SetDeadline(time.Now().Add(startLimit)) // fails when closed, as what follows
	defer w.control.SetDeadline(time.Time{})
	fork := breed != "" && breed == w.breed
	err = w.control.send(order{Op: "start", Seq: w.seq, Command: c, Fork: fork},
		int(pipes[0].Fd()), int(pipes[1].Fd()), int(pipes[2].Fd()))
	if errors.Is(err, unix.E2BIG) {
		return false, err
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", errSupervisor, err)
	}
	r, err := w.hear()
	switch {
	case err != nil:
		return false, err
	case r.Op == "started":
		return r.Forked, nil
	case r.Errno != 0:
		return false, r.Errno
	}
	return false, errSupervisor
}

// hear waits for a report.
func (w *worker) hear() (report, error) {
	var r report
	if _, err := w.control.receive(&r); err != nil {
		return report{}, fmt.Errorf("%w: %w", errSupervisor, err)
	}
	w.spent = w.spent || r.Retire
	w.zygote.Store(int64(r.Zygote))
	if r.Zygote == 0 {
		w.breed = ""
	}
	if r.Op == "started" && r.Forked {
		w.forks++
	}
	return r, nil
}

// dismiss lets a supervisor end that has nothing left to supervise.
func (w *worker) dismiss() {
	w.control.Close()
	w.words.Close()
}

// wake continues a supervisor that its program has stopped, being of one user.
func (w *worker) wake() { w.reaper.signal(w.pid, unix.SIGCONT) }

// overthrow is how long a supervisor has to kill a tree before it is itself
// killed, and its tree by the guest: its own patience, and some for a busy
// machine.
const overthrow = killPatience + time.Second

// destroy kills a supervisor that does not do its work, and what it supervised.
// It may be repeated, and waits.
func (w *worker) destroy() {
	w.fall.Do(func() {
		w.control.Close()
		w.reaper.signal(w.pid, unix.SIGKILL)
		<-w.gone
		w.starved = w.words.bury(os.Stderr)
		w.reaper.purge()
	})
}

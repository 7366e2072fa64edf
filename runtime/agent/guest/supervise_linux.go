package guest

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a supervisor inherits: its end of the socket pair, and then the files of
// its workload.
const (
	controlFD  = 3
	workloadFD = 4
)

// Supervise is the supervisor's whole life, in the process `vm-agent supervise`:
// it starts programs, one after the other, as the guest orders on descriptor 3,
// and returns when the guest is gone. Being their subreaper it finds every
// descendant, whatever that does to hide. Args, what follows the subcommand, are
// of superviseArgs.
func Supervise(args []string) error {
	if len(args) != 2 {
		return errors.New("a supervisor is started by a guest alone")
	}
	files, err1 := strconv.Atoi(args[0])
	nice, err2 := strconv.Atoi(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s, err := newSupervisor(inheritedWorkload(workloadFD, files), nice)
	if err != nil {
		return err
	}
	return s.serve()
}

// superviseArgs is the command of a supervisor: how many files lead into the
// workload, and by how much programs step back.
func superviseArgs(c Config) []string {
	return []string{"vm-agent", "supervise", strconv.Itoa(len(c.workload().enter)), strconv.Itoa(c.Nice)}
}

// supervisor runs one program at a time.
type supervisor struct {
	control  control
	spawner  *spawner
	workload workload
	oom      *oomScore
	zygote   *zygote // nil = none

	seq      int
	leader   int    // pid while it lives, else 0
	exit     *Exit  // of the leader, until the guest was told
	busy     bool   // something of the tree lives
	killing  bool   // we have begun to kill it
	detached bool   // the guest has let go of it
	usage    report // what it used so far
}

func newSupervisor(w workload, nice int) (*supervisor, error) {
	signal.Notify(make(chan os.Signal, 1)) // nothing that a program sends ends the supervisor
	resetInherited()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become subreaper: %w", err)
	}
	closeInherited()
	warm(3)
	c, err := newControl(controlFD)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	s := &supervisor{control: c, spawner: newSpawner(nice), workload: w, oom: openOOMScore()}
	unix.Umask(0o022)
	// Neither program nor supervisor leaves a core file; both calls only lower.
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	return s, nil
}

// delivery is an order with its descriptors.
type delivery struct {
	order
	fds []int
}

func (s *supervisor) serve() error {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	orders := make(chan delivery)
	go func() {
		defer close(orders)
		for {
			var d delivery
			var err error
			if d.fds, err = s.control.receive(&d.order); err != nil {
				return
			}
			orders <- d
		}
	}()
	for {
		var err error
		select {
		case d, ok := <-orders:
			if !ok { // the guest is gone, and its programs with it
				s.killTree()
				return nil
			}
			err = s.obey(d)
		case <-children:
			err = s.reaped()
		}
		if err != nil || s.detached && !s.busy {
			return err
		}
	}
}

func (s *supervisor) obey(d delivery) error {
	switch d.Op {
	case "start":
		return s.start(d)
	case "hatch":
		return s.hatch(d.Command, d.Code)
	case "bury":
		s.bury()
		return nil
	}
	if d.Seq != s.seq || !s.busy {
		return nil
	}
	switch d.Op {
	case "signal":
		if s.leader != 0 {
			_ = unix.Kill(-s.leader, unix.Signal(d.Signal)) // it may have ended just now
		}
		return s.control.send(report{Op: "signalled"})
	case "kill":
		s.killTree()
		return s.reaped()
	case "finish":
		if s.detached = d.Detach; s.detached {
			s.dismissZygote()
			s.busy = !s.reap()
		} else {
			s.usage.Retire = !s.killTree() || s.usage.Retire
			s.busy = false
		}
		return s.tell("finished")
	}
	return nil
}

// start starts a program; its pipes are closed here.
func (s *supervisor) start(d delivery) error {
	defer func() {
		for _, fd := range d.fds {
			unix.Close(fd)
		}
	}()
	s.seq, s.usage, s.killing = d.Seq, report{}, false
	if len(d.fds) != 3 || d.Command == nil {
		return errors.New("order without its pipes")
	}
	pid, err := s.begin(d)
	if err != nil {
		var errno unix.Errno
		errors.As(err, &errno)
		s.usage.Errno = errno
		return s.tell("failed")
	}
	s.leader, s.busy = pid, true
	return s.tell("started")
}

// begin has the program forked from the zygote, or starts it. What became of a
// fork that failed dies with the zygote.
func (s *supervisor) begin(d delivery) (pid int, err error) {
	if d.Fork && s.zygote != nil {
		if pid, err = s.zygote.fork(d.Command, d.fds); err == nil {
			s.usage.Forked = true
			return pid, nil
		}
		s.bury()
		s.killing = false
	}
	s.spawner.do(func() { pid, err = s.fork(d.Command, d.fds) })
	return pid, err
}

// fork is the one fork and exec that a run costs, on the spawner's thread. What Go's fork cannot set for
// the child alone is set here and taken back.
func (s *supervisor) fork(c *command, fds []int) (int, error) {
	unlimit, err := limitFiles(c.FileSize)
	if err != nil {
		return 0, err
	}
	// A program starts with no signal blocked, whatever the guest was started
	// with. Handlers go by themselves.
	var none unix.Sigset_t
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil)
	s.oom.raise()
	stuck := false
	defer func() {
		s.oom.restore()
		s.usage.Retire = !unlimit() || stuck
	}()
	sys := &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL, Setctty: c.Terminal}
	if c.User != nil {
		sys.Credential = c.User.credential()
	}
	var files []uintptr
	for _, fd := range fds {
		files = append(files, uintptr(fd))
	}
	var pid int
	pid, stuck, err = s.workload.within(func() (int, error) {
		return syscall.ForkExec(c.Path, c.Argv, &syscall.ProcAttr{
			Dir:   c.Dir,
			Env:   c.Env,
			Files: files,
			Sys:   sys,
		})
	})
	return pid, err
}

// limitFiles bounds the size of files that this process, and a program that
// inherits it, may write. To undo that takes privilege: undo reports whether it
// could.
func limitFiles(size int64) (undo func() bool, err error) {
	if size == 0 {
		return func() bool { return true }, nil
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		return nil, err
	}
	limit := min(uint64(size), before.Max)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return nil, err
	}
	return func() bool { return unix.Setrlimit(unix.RLIMIT_FSIZE, &before) == nil }, nil
}

// reaped collects what has ended, and tells when that was the program.
func (s *supervisor) reaped() error {
	alone := s.reap()
	if s.detached {
		s.busy = !alone
		return nil
	}
	if s.exit == nil {
		return nil
	}
	s.usage.Code, s.usage.Signal = s.exit.Code, s.exit.Signal
	s.exit = nil
	s.usage.Alone = alone
	s.busy = !alone
	return s.tell("exited")
}

// reap collects every child that has ended, notes how the program ended if it
// is among them, and reports whether no child is left at all.
func (s *supervisor) reap() (alone bool) {
	looked := false // at the children, and nothing has ended since
	for {
		var status unix.WaitStatus
		var used unix.Rusage
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, &used)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil: // ECHILD
			return true
		case pid == 0 && (s.zygote == nil || s.leader != 0 || looked):
			return looked
		case pid == 0:
			if looked = s.onlyZygote(); !looked {
				return false
			}
			continue
		}
		looked = false
		if s.zygote != nil && pid == s.zygote.pid {
			s.lost()
			continue
		}
		s.usage.CPU += time.Duration(used.Utime.Nano() + used.Stime.Nano())
		s.usage.Peak = max(s.usage.Peak, used.Maxrss<<10)
		s.usage.Wrote += used.Oublock * 512
		killed := status.Signaled() && status.Signal() == unix.SIGKILL
		s.usage.Killed = s.usage.Killed || killed && !s.killing
		if pid == s.leader {
			s.leader = 0
			s.exit = &Exit{Code: status.ExitStatus()}
			if status.Signaled() {
				s.exit = &Exit{Signal: int(status.Signal())}
			}
		}
	}
}

func (s *supervisor) tell(op string) error {
	s.usage.Op, s.usage.Zygote = op, 0
	if s.zygote != nil {
		s.usage.Zygote = s.zygote.pid
	}
	return s.control.send(s.usage)
}

const (
	// killPatience bounds the time for a tree to die: only what hangs in the
	// kernel takes longer, and nothing ends that sooner.
	killPatience = 3 * time.Second
	// stopPasses bounds the rounds in which a tree is stopped before it is killed.
	stopPasses = 32
)

// killTree kills every descendant and reaps it. It reports whether none is left.
//
// Processes that fork faster than they can be found are stopped first: once all
// that a pass finds are known from the one before, nobody is left to fork.
func (s *supervisor) killTree() bool {
	s.killing = true
	pause := time.Millisecond / 4
	for deadline := time.Now().Add(killPatience); ; pause = min(2*pause, 20*time.Millisecond) {
		for pid := range stopTree(os.Getpid()) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		for wait := time.Now().Add(pause); time.Now().Before(wait); time.Sleep(pause / 8) {
			if s.reap() {
				return true
			}
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// stopTree stops all descendants of root and returns them.
func stopTree(root int) map[int]bool {
	known := make(map[int]bool)
	for range stopPasses {
		fresh := false
		for _, pid := range descendants(root) {
			if !known[pid] {
				fresh = true
				known[pid] = true
				_ = unix.Kill(pid, unix.SIGSTOP)
			}
		}
		if !fresh {
			break
		}
	}
	return known
}

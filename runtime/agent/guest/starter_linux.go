package guest

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent"
)

// spares is how many idle supervisors are kept: one for the next run, and the
// one that the last run gave back.
const spares = 2

// diskThreads bounds the threads that wait for a disk, each as long as that
// takes, below the number that warm has made.
const diskThreads = 3

// machine starts programs as processes of this machine, each below a supervisor.
type machine struct {
	config Config
	user   *user
	// ownsRoot: the system's folders belong to whom programs run as.
	ownsRoot bool
	reaper   *reaper
	cgroup   *cgroup
	meter    meter
	disks    chan struct{} // slots for what may wait for a disk

	background sync.WaitGroup // spawns and the watch

	mu     sync.Mutex // guards what follows
	idle   []*worker
	active map[*process]struct{} // programs whose trees are not gone
	quit   chan struct{}         // ends the watch; nil while there is none
	past   time.Duration         // CPU time of trees that are gone
	closed bool

	nursery nursery
}

func newStarter(c Config) (Starter, error) {
	return newMachine(c, newReaper(false))
}

func newMachine(c Config, r *reaper) (*machine, error) {
	m := &machine{
		config: c,
		user:   ordinaryUser(c),
		reaper: r,
		cgroup: openCgroup(c.CgroupRoot, c.programsFolder()),
		active: make(map[*process]struct{}),
		disks:  make(chan struct{}, diskThreads),
	}
	m.ownsRoot = ownsRoot(m.user)
	if err := m.makeHome(); err != nil {
		return nil, err
	}
	m.refill()
	return m, nil
}

// makeHome makes the home folder, which belongs to the ordinary user.
func (m *machine) makeHome() error {
	if err := os.MkdirAll(m.config.Home, 0o755); err != nil {
		return err
	}
	if m.user == nil {
		return nil
	}
	// Not when it is his already: that would count as a change of the VM's files.
	var stat unix.Stat_t
	if unix.Lstat(m.config.Home, &stat) == nil && int(stat.Uid) == m.user.UID && int(stat.Gid) == m.user.GID {
		return nil
	}
	return os.Lchown(m.config.Home, m.user.UID, m.user.GID)
}

// Start implements Starter.
func (m *machine) Start(p Program) (Process, error) {
	u := m.user
	if p.Root {
		u = nil
	}
	if err := m.place(u, p); err != nil {
		return nil, err
	}
	path, err := m.look(p)
	if err != nil {
		return nil, err
	}
	c := &command{Path: path, Argv: p.Argv, Env: p.Env, Dir: p.Dir, User: u, FileSize: p.FileSize, Terminal: p.Terminal != nil}
	proc := &process{
		machine: m, watchMemory: p.WatchMemory, fileSize: p.FileSize, before: m.counters(), disk: newStrain(m.diskFree()),
		signalled: make(chan struct{}, 1), left: make(chan struct{}),
	}
	if proc.pipes, err = m.streams(u, p.Terminal); err != nil {
		return nil, err
	}
	if err := m.start(proc, c, m.litter(p, c)); err != nil {
		return nil, explain(p.Argv[0], err)
	}
	return proc, nil
}

// look finds the program. That of an errand is this one, by a name that holds
// for a supervisor's child too, whatever the VM's files are.
func (m *machine) look(p Program) (string, error) {
	if p.Errand {
		return "/proc/self/exe", nil
	}
	return lookPath(p)
}

// Discard implements Starter.
func (m *machine) Discard(folder string, root bool) {
	u := m.user
	if root {
		u = nil
	}
	// What the user may not remove is the VM's own business.
	_ = m.as(u, func() error { return os.RemoveAll(folder) })
}

// streams are a program's streams.
func (m *machine) streams(u *user, terminal *agent.Window) (*pipes, error) {
	if terminal != nil {
		return m.openTerminal(u, *terminal)
	}
	return newPipes(u)
}

// start gives the command to a supervisor; one that has died while it was idle
// is replaced.
func (m *machine) start(p *process, c *command, l *litter) error {
	pipes := p.pipes
	defer pipes.closeTheirs()
	defer m.beginStart(l)()
	var err error
	for try := 0; ; try++ {
		if p.worker, err = m.hire(l.kind()); err != nil {
			break
		}
		if err = p.start(c, l); err == nil {
			m.enter(p)
			return nil
		}
		if !errors.Is(err, errSupervisor) {
			m.release(p.worker)
			break
		}
		p.worker.destroy()
		if p.worker.starved {
			err = unix.EAGAIN // what the program itself would have met
		}
		if try == spares {
			break
		}
	}
	pipes.Close()
	return err
}

// enter counts a program among the active; leave takes it out. The watch runs
// while there is any.
func (m *machine) enter(p *process) {
	watched := m.watched() || p.watchMemory > 0
	m.mu.Lock()
	defer m.mu.Unlock()
	m.active[p] = struct{}{}
	if len(m.active) > 1 {
		for other := range m.active {
			other.shared = true
		}
	}
	if watched && m.quit == nil {
		quit := make(chan struct{})
		m.quit = quit
		m.background.Go(func() { m.watch(quit) })
	}
}

func (m *machine) leave(p *process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.active, p)
	m.past += p.end.CPU
	if len(m.active) == 0 && m.quit != nil {
		close(m.quit)
		m.quit = nil
	}
}

// hire takes an idle supervisor, or makes one, and sees to it that there is a
// spare one for the next.
func (m *machine) hire(breed string) (*worker, error) {
	m.mu.Lock()
	w := m.pickLocked(breed)
	empty := len(m.idle) == 0
	m.mu.Unlock()
	if empty {
		m.refill()
	}
	if w != nil {
		return w, nil
	}
	return spawn(m.reaper, m.config)
}

// refill makes a spare supervisor in the background.
func (m *machine) refill() {
	m.background.Go(func() {
		if w, err := spawn(m.reaper, m.config); err == nil {
			m.release(w)
		}
	})
}

// release takes a supervisor back that has nothing left to supervise.
func (m *machine) release(w *worker) {
	m.giveBack(w)
	m.nurse()
}

// Close implements Starter.
func (m *machine) Close() error {
	m.mu.Lock()
	m.closed = true
	idle := m.idle
	m.idle = nil
	if m.nursery.renewal != nil {
		m.nursery.renewal.Stop()
	}
	m.mu.Unlock()
	for _, w := range idle {
		w.dismiss()
	}
	m.background.Wait()
	m.reaper.wait()
	return m.cgroup.Close()
}

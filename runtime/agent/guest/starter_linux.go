package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent"
)

// spares is how many idle supervisors are kept: one for the next run, and the
// one that the last run gave back.
const spares = 2

// machine starts programs as processes of this machine, each below a supervisor.
type machine struct {
	config Config
	user   *user
	reaper *reaper

	filling sync.WaitGroup // spawns in the background

	mu     sync.Mutex // guards what follows
	idle   []*worker
	closed bool
}

func newStarter(c Config) (Starter, error) {
	m := &machine{config: c, user: ordinaryUser(c), reaper: newReaper()}
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
	return os.Lchown(m.config.Home, m.user.UID, m.user.GID)
}

// Start implements Starter.
func (m *machine) Start(p Program) (Process, error) {
	u := m.user
	if p.Root {
		u = nil
	}
	if err := place(u, p.Dir, p.Files); err != nil {
		return nil, err
	}
	path, err := lookPath(p)
	if err != nil {
		return nil, err
	}
	c := &command{Path: path, Argv: p.Argv, Env: p.Env, Dir: p.Dir, User: u, FileSize: p.FileSize}
	proc, err := m.start(c)
	if err != nil {
		return nil, explain(p.Argv[0], path, err)
	}
	return proc, nil
}

// start gives the command to a supervisor; one that has died while it was idle
// is replaced.
func (m *machine) start(c *command) (*process, error) {
	pipes, err := newPipes(c.User)
	if err != nil {
		return nil, err
	}
	defer pipes.closeTheirs()
	for try := 0; ; try++ {
		w, err := m.hire()
		if err == nil {
			err = w.start(c, pipes.theirs)
		}
		switch {
		case err == nil:
			return &process{machine: m, worker: w, pipes: pipes, alive: true}, nil
		case w == nil:
		case errors.Is(err, errSupervisor):
			w.dismiss()
			if try < spares {
				continue
			}
		default:
			m.release(w)
		}
		pipes.Close()
		return nil, err
	}
}

// hire takes an idle supervisor, or makes one, and sees to it that there is a
// spare one for the next.
func (m *machine) hire() (*worker, error) {
	m.mu.Lock()
	var w *worker
	if n := len(m.idle); n > 0 {
		w = m.idle[n-1]
		m.idle = m.idle[:n-1]
	}
	empty := len(m.idle) == 0
	m.mu.Unlock()
	if empty {
		m.refill()
	}
	if w != nil {
		return w, nil
	}
	return spawn(m.reaper)
}

// refill makes a spare supervisor in the background.
func (m *machine) refill() {
	m.filling.Go(func() {
		if w, err := spawn(m.reaper); err == nil {
			m.release(w)
		}
	})
}

// release gives a supervisor back that is free for another program.
func (m *machine) release(w *worker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.idle) >= spares {
		w.dismiss()
		return
	}
	m.idle = append(m.idle, w)
}

// Stats implements Starter.
func (m *machine) Stats() agent.Stats { return agent.Stats{Disk: -1} }

// Close implements Starter.
func (m *machine) Close() error {
	m.filling.Wait()
	m.mu.Lock()
	m.closed = true
	idle := m.idle
	m.idle = nil
	m.mu.Unlock()
	for _, w := range idle {
		w.dismiss()
	}
	for _, w := range idle {
		<-w.gone
	}
	return nil
}

// lookPath finds a program as a shell would, in the PATH of the run.
func lookPath(p Program) (string, error) {
	name := p.Argv[0]
	if strings.Contains(name, "/") {
		if _, err := os.Stat(resolve(p.Dir, name)); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%s: %w", name, ErrMissing)
		}
		return name, nil
	}
	for _, dir := range filepath.SplitList(lookEnv(p.Env, "PATH")) {
		candidate := filepath.Join(resolve(p.Dir, dir), name)
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrMissing)
}

func resolve(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func lookEnv(env []string, key string) string {
	i := slices.IndexFunc(env, func(kv string) bool { return strings.HasPrefix(kv, key+"=") })
	if i < 0 {
		return ""
	}
	return env[i][len(key)+1:]
}

// explain says for a person why a program that is there did not start.
func explain(name, path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s: the interpreter or loader that %s names is not in this VM", name, path)
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("%s: not a program of this machine's kind, nor a script that names its interpreter", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

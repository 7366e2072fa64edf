package fake

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// world is what programs of one machine share while it runs: the limits, and
// what is used of them. It is the guest's Starter.
type world struct {
	limits runtime.Limits
	files  *tree

	mu      sync.Mutex          // guards what follows
	changed *sync.Cond          // of mu: a process ended
	named   map[string]*streams // by their folder
	procs   map[*process]struct{}
	memory  int64
	cpu     time.Duration
	busy    int // threads that compute at this moment
}

var _ guest.Starter = (*world)(nil)

func newWorld(limits runtime.Limits, files *tree) *world {
	w := &world{limits: limits, files: files, procs: map[*process]struct{}{}, named: map[string]*streams{}}
	w.changed = sync.NewCond(&w.mu)
	return w
}

// Start implements guest.Starter.
func (w *world) Start(p guest.Program) (guest.Process, error) {
	if err := w.place(p); err != nil {
		return nil, err
	}
	if p.Errand {
		return startFamily(w, p, errand, p.Argv[2:])
	}
	if p.Terminal != nil && p.Argv[0] == "sh" {
		return startFamily(w, p, interactive, nil)
	}
	main, args, err := w.lookup(p)
	if err != nil {
		return nil, err
	}
	return startFamily(w, p, main, args)
}

func (w *world) place(p guest.Program) error {
	if err := w.survey(p); err != nil {
		return err
	}
	for _, f := range p.Files {
		mode := f.Mode
		if mode == 0 {
			mode = 0o644
		}
		if err := w.files.put(path.Clean(f.Path), f.Data, mode); err != nil {
			return err
		}
	}
	return nil
}

// survey refuses folders and files where the user may make none.
func (w *world) survey(p guest.Program) error {
	below := func(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }
	made := func(name string) bool { return p.Root || below(name, home) || below(name, "/tmp") }
	if dir := path.Clean(p.Dir); !made(dir) && dir != "/proc" {
		return fmt.Errorf("%w: cannot make the working directory %s", guest.ErrRefused, dir)
	}
	for _, f := range p.Files {
		if name := path.Clean(f.Path); !made(name) {
			return fmt.Errorf("%w: cannot write %s", guest.ErrRefused, name)
		}
	}
	return nil
}

// Streams implements guest.Starter.
func (w *world) Streams(p guest.Program) (guest.Streams, error) {
	if err := w.place(p); err != nil {
		return nil, err
	}
	s := newStreams()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.named[p.Scratch] = s
	return s, nil
}

// take gives the pipes in a folder to the process that asks for them first.
func (w *world) take(folder string) *streams {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.named[folder]
	delete(w.named, folder)
	return s
}

// lookup finds a program by its name, or at its path when it was placed there.
func (w *world) lookup(p guest.Program) (program, []string, error) {
	name := p.Argv[0]
	if path.Base(name) != name {
		at := name
		if !path.IsAbs(at) {
			at = path.Join(p.Dir, at)
		}
		f, err := w.files.get(at)
		if err != nil || f.mode&0o111 == 0 {
			return nil, nil, fmt.Errorf("%w: %s", guest.ErrMissing, name)
		}
		name = path.Base(name)
	}
	if main := programs[name]; main != nil {
		return main, p.Argv[1:], nil
	}
	return nil, nil, fmt.Errorf("%w: %s", guest.ErrMissing, name)
}

// Discard implements guest.Starter.
func (w *world) Discard(folder string, _ bool) { w.files.removeAll(path.Clean(folder)) }

// Stats implements guest.Starter.
func (w *world) Stats() agent.Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return agent.Stats{
		CPUPercent: min(float64(w.busy), w.limits.CPU) * 100,
		CPU:        w.cpu,
		Memory:     w.memory,
		Disk:       w.files.usage(),
		Pids:       len(w.procs),
	}
}

// Close implements guest.Starter.
func (w *world) Close() error { return nil }

// terminate sends SIGTERM to every process and waits for their ends, until ctx
// ends.
func (w *world) terminate(ctx context.Context) {
	defer context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changed.Broadcast()
	})()
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range w.procs {
		p.signal(syscall.SIGTERM)
	}
	for len(w.procs) > 0 && ctx.Err() == nil {
		w.changed.Wait()
	}
}

// admit counts a process in. It fails with EAGAIN at the pids limit.
func (w *world) admit(p *process) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.procs) >= w.limits.Pids {
		return syscall.EAGAIN
	}
	w.procs[p] = struct{}{}
	w.memory += processMemory
	return nil
}

// count tells how many processes have a name.
func (w *world) count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for p := range w.procs {
		if p.name == name {
			n++
		}
	}
	return n
}

func (w *world) dismiss(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.procs, p)
	w.memory -= p.memory
	w.changed.Broadcast()
}

// charge counts memory that a process wants; false = the limit stands in the way.
func (w *world) charge(p *process, bytes int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.memory+bytes > int64(w.limits.MemoryMiB)<<20 {
		return false
	}
	w.memory += bytes
	p.memory += bytes
	return true
}

// slice of time in which computing threads share the machine's cores.
const slice = 5 * time.Millisecond

// compute lets a process compute on some threads for one slice and returns the
// processor time that it got.
func (w *world) compute(p *process, threads int) time.Duration {
	w.mu.Lock()
	w.busy += threads
	w.mu.Unlock()
	begin := time.Now()
	select {
	case <-time.After(slice):
	case <-p.ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	share := min(1, w.limits.CPU/float64(w.busy)) * float64(threads)
	w.busy -= threads
	got := time.Duration(share * float64(time.Since(begin)))
	w.cpu += got
	p.cpu += got
	return got
}

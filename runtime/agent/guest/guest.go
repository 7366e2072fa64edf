package guest

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

const (
	// maxFinished is how many finished runs are kept for followers to come;
	// the oldest give way.
	maxFinished = 100
	// maxRecords bounds the memory that their records hold together.
	maxRecords = 32 << 20
	// maxRecordBytes is the largest Run.RecordBytes.
	maxRecordBytes = 2 << 20
	// maxID is the longest Run.ID.
	maxID = 128
)

// Guest starts programs for clients and keeps their records.
type Guest struct {
	config  Config
	env     []string // of every run
	starter Starter
	started time.Time

	sessions sessions

	exits *exits // ways out of the machine
	proxy *proxy // nil without Config.Proxy

	handlers group          // requests under way
	lives    sync.WaitGroup // runs; none is added once closed is set

	mu     sync.Mutex // guards what follows
	runs   map[string]*run
	oldest []*run // the same, oldest first
	closed bool
}

// New returns a guest that serves nobody yet. It changes nothing of the process
// it is in, so that any program may have several. Close ends it.
func New(config Config) (*Guest, error) {
	config = config.withDefaults()
	g := &Guest{
		config:  config,
		starter: config.Starter,
		started: time.Now(),
		runs:    make(map[string]*run),
		exits:   newExits(),
	}
	var proxyEnv []string
	if config.Proxy != "" {
		var err error
		if g.proxy, err = listenProxy(config.Proxy, g.exits); err != nil {
			return nil, fmt.Errorf("guest: %w", err)
		}
		proxyEnv = g.proxy.environment()
	}
	g.env = config.environment(proxyEnv)
	if g.starter == nil {
		var err error
		if g.starter, err = newStarter(config); err != nil {
			g.proxy.close()
			return nil, fmt.Errorf("guest: %w", err)
		}
	}
	return g, nil
}

// Close kills every run, and what runs left alive, waits for their ends, and
// frees what the guest holds. The connections must have ended, or be about to.
func (g *Guest) Close() error {
	g.shut()
	g.sessions.closeAll()
	g.killAll()
	g.lives.Wait()
	<-g.handlers.idle()
	g.proxy.close()
	return g.starter.Close()
}

// shut refuses new runs from now on, and returns those there are.
func (g *Guest) shut() []*run {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return slices.Clone(g.oldest)
}

func (g *Guest) killAll() {
	for _, r := range g.shut() {
		r.kill(agent.Cancelled)
	}
}

// start begins a run. It fails when the run is refused; a program that cannot
// be started is a run that has ended.
func (g *Guest) start(spec agent.Run) (*run, error) {
	programs, err := g.programs(&spec)
	if err != nil {
		return nil, err
	}
	r := newRun(spec, programs)
	if err := g.admit(r); err != nil {
		return nil, err
	}
	if spec.Session != nil {
		return g.startInSession(r)
	}
	proc, err := g.starter.Start(programs[0])
	if errors.Is(err, ErrRefused) {
		r.discard(g.starter)
		g.drop(r)
		g.lives.Done()
		return nil, err
	}
	r.startClock()
	go func() {
		defer g.lives.Done()
		r.live(g.starter, proc, err)
		g.evict()
	}()
	return r, nil
}

// startInSession has a run wait for its session, in the order of the starts.
func (g *Guest) startInSession(r *run) (*run, error) {
	s, turn, err := g.sessions.join(&r.spec)
	if err != nil {
		g.drop(r)
		g.lives.Done()
		return nil, err
	}
	go func() {
		defer g.lives.Done()
		proc, err := s.begin(r, turn, g.starter, r.programs[0])
		r.live(g.starter, proc, err)
		turn.leave()
		g.evict()
	}()
	return r, nil
}

// programs checks a run and says what is to be started for it, one after the
// other. Defaults of spec are filled in.
func (g *Guest) programs(spec *agent.Run) ([]Program, error) {
	if len(spec.Errand) > 0 {
		spec.Build, spec.Command = nil, errandCommand(spec.Errand)
	}
	switch {
	case spec.ID == "" || len(spec.ID) > maxID:
		return nil, invalid("a run's ID has 1 to %d bytes", maxID)
	case len(spec.Command) == 0 || spec.Command[0] == "":
		return nil, invalid("the run has no command")
	case len(spec.Build) > 0 && spec.Build[0] == "":
		return nil, invalid("the run's build command is empty")
	case spec.User != "" && spec.User != "root":
		return nil, invalid("user %q: a run is of the VM's ordinary user or of root", spec.User)
	case spec.User == "root" && !g.config.AllowRoot:
		return nil, invalid("this VM gives no root")
	case spec.RecordBytes < 0 || spec.RecordBytes > maxRecordBytes:
		return nil, invalid("a record keeps at most %d MiB of either end", maxRecordBytes>>20)
	case spec.Timeout < 0 || spec.FileSize < 0 || spec.WatchMemory < 0:
		return nil, invalid("a limit is negative")
	}
	if err := checkTerminal(spec); err != nil {
		return nil, err
	}
	if spec.Session != nil {
		if err := checkSession(spec); err != nil {
			return nil, err
		}
	}
	if err := checkZygote(spec); err != nil {
		return nil, err
	}
	if spec.RecordBytes == 0 {
		spec.RecordBytes = agent.DefaultRecordBytes
	}
	if spec.Scratch != "" && (!path.IsAbs(spec.Scratch) || path.Clean(spec.Scratch) == "/") {
		return nil, invalid("the scratch folder %q is no absolute path of a folder", spec.Scratch)
	}
	dir := spec.Dir
	if !path.IsAbs(dir) {
		dir = path.Join(g.config.Home, dir)
	}
	files := slices.Clone(spec.Files)
	for i := range files {
		if !path.IsAbs(files[i].Path) {
			files[i].Path = path.Join(dir, files[i].Path)
		}
	}
	run := Program{
		Argv:        spec.Command,
		Env:         g.environ(spec),
		Dir:         dir,
		Files:       files,
		Scratch:     spec.Scratch,
		Errand:      len(spec.Errand) > 0,
		Terminal:    spec.Terminal,
		Root:        spec.User == "root",
		FileSize:    spec.FileSize,
		WatchMemory: spec.WatchMemory,
		Zygote:      spec.Zygote,
	}
	if len(spec.Build) == 0 {
		return []Program{run}, nil
	}
	build := run
	build.Argv, build.Zygote = spec.Build, nil
	run.Files = nil
	return []Program{build, run}, nil
}

// errandCommand is how the agent's own program is called for an errand.
func errandCommand(errand []string) []string {
	return append([]string{"vm-agent", "errand"}, errand...)
}

// environ is a run's environment. Root has a home of its own, lest it leave files
// of its own in the ordinary user's.
func (g *Guest) environ(spec *agent.Run) []string {
	env := g.env
	if spec.User == "root" {
		env = mergeEnv(env, []string{"HOME=/root", "USER=root", "LOGNAME=root"})
	}
	return mergeEnv(env, spec.Env)
}

// admit makes a run known.
func (g *Guest) admit(r *run) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return invalid("the VM is stopping")
	}
	if g.runs[r.spec.ID] != nil {
		return refusal{wire.CodeExists, "run " + r.spec.ID + " is there already"}
	}
	g.runs[r.spec.ID] = r
	g.oldest = append(g.oldest, r)
	g.lives.Add(1)
	return nil
}

func (g *Guest) drop(r *run) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dropLocked(r)
}

func (g *Guest) dropLocked(r *run) {
	delete(g.runs, r.spec.ID)
	g.oldest = slices.DeleteFunc(g.oldest, func(o *run) bool { return o == r })
}

func (g *Guest) find(id string) (*run, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.runs[id]; r != nil {
		return r, nil
	}
	return nil, refusal{wire.CodeNotFound, "run " + id}
}

func (g *Guest) list() []agent.Result {
	g.mu.Lock()
	runs := slices.Clone(g.oldest)
	g.mu.Unlock()
	results := make([]agent.Result, 0, len(runs))
	for _, r := range runs {
		results = append(results, r.snapshot())
	}
	return results
}

// forget drops a run that has ended.
func (g *Guest) forget(id string) error {
	r, err := g.find(id)
	if err != nil {
		return err
	}
	if !r.hasEnded() {
		return invalid("run %s has not ended", id)
	}
	g.drop(r)
	return nil
}

// evict drops the oldest finished runs where there are too many. One that left
// something alive stays, so that it can be killed.
func (g *Guest) evict() {
	g.mu.Lock()
	defer g.mu.Unlock()
	finished, bytes := 0, 0
	for _, r := range slices.Backward(slices.Clone(g.oldest)) {
		if !r.hasEnded() {
			continue
		}
		finished++
		bytes += r.size()
		if (finished > maxFinished || bytes > maxRecords) && !r.isLeft() {
			g.dropLocked(r)
		}
	}
}

func (g *Guest) stats() agent.Stats {
	s := g.starter.Stats()
	s.Uptime = time.Since(g.started)
	return s
}

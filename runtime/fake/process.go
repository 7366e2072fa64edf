package fake

import (
	"cmp"
	"context"
	"errors"
	"io"
	"path"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// processMemory is what a process uses before it asks for any.
const processMemory = 64 << 10

// program is the code of a process; it returns the exit code. It returns soon
// once p.ctx has ended.
type program func(p *process, args []string) int

// family is a program that the guest started, with its descendants.
type family struct {
	world  *world
	spec   guest.Program
	leader *process

	*streams
	alive sync.WaitGroup

	mu      sync.Mutex // guards what follows
	members map[*process]struct{}
	usage   guest.Usage
	killed  bool
}

var _ guest.Process = (*family)(nil)

// process is one goroutine of a family. Its streams are the family's.
type process struct {
	*family
	name   string
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}
	heeds  chan struct{} // receives SIGTERM when heeding; else that is deadly

	heeding atomic.Bool
	catches atomic.Pointer[scriptKernel] // gets SIGINT; nil = that is deadly
	vars    map[string]string            // of a script; a session keeps them
	value   string                       // of a script in a session

	once   sync.Once
	deadly syscall.Signal // what ended it; 0 = itself
	code   int

	memory int64         // guarded by world.mu
	cpu    time.Duration // guarded by world.mu
}

func startFamily(w *world, spec guest.Program, main program, args []string) (*family, error) {
	f := &family{world: w, spec: spec, streams: newStreams(), members: map[*process]struct{}{}}
	return f, f.lead(main, args)
}

// lead starts the family's first process. The streams end with the family.
func (f *family) lead(main program, args []string) error {
	leader, err := f.spawn(f.spec.Argv[0], false, main, args)
	if err != nil {
		return err
	}
	f.leader = leader
	go func() {
		<-leader.ended
		f.stdin.Close()
		f.alive.Wait()
		f.stdout.end()
		f.stderr.end()
	}()
	return nil
}

// spawn starts a process of the family. It fails with EAGAIN.
func (f *family) spawn(name string, heeding bool, main program, args []string) (*process, error) {
	p := &process{family: f, name: name, heeds: make(chan struct{}, 1), ended: make(chan struct{}), memory: processMemory}
	p.heeding.Store(heeding)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if err := f.world.admit(p); err != nil {
		p.cancel()
		f.blame(agent.PidsLimit)
		return nil, err
	}
	f.mu.Lock()
	f.members[p] = struct{}{}
	f.alive.Add(1)
	killed := f.killed
	f.mu.Unlock()
	if killed {
		p.die(syscall.SIGKILL)
	}
	go p.live(main, args)
	return p, nil
}

func (p *process) live(main program, args []string) {
	defer p.family.alive.Done()
	p.code = main(p, args)
	p.once.Do(p.cancel)
	p.world.dismiss(p)
	p.mu.Lock()
	delete(p.members, p)
	p.usage.CPU += p.cpu
	p.usage.PeakMemory = max(p.usage.PeakMemory, p.memory)
	p.mu.Unlock()
	close(p.ended)
}

// die ends the process with a signal, unless it is at its end already.
func (p *process) die(sig syscall.Signal) {
	p.once.Do(func() {
		p.deadly = sig
		p.cancel()
		p.stdin.Close()
	})
}

// heed makes SIGTERM harmless to the process; it comes through p.heeds.
func (p *process) heed() { p.heeding.Store(true) }

func (p *process) signal(sig syscall.Signal) {
	if sig == syscall.SIGTERM && p.heeding.Load() {
		select {
		case p.heeds <- struct{}{}:
		default:
		}
		return
	}
	if k := p.catches.Load(); sig == syscall.SIGINT && k != nil {
		k.interrupt()
		return
	}
	p.die(sig)
}

// blame remembers the first limit that stood in the family's way.
func (f *family) blame(limit agent.Verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.usage.Limit = cmp.Or(f.usage.Limit, limit)
}

// allocate takes memory, or dies of it.
func (p *process) allocate(bytes int64) bool {
	if p.ctx.Err() != nil {
		return false
	}
	if !p.world.charge(p, bytes) {
		p.blame(agent.OutOfMemory)
		p.die(syscall.SIGKILL)
		return false
	}
	return true
}

// check notes a write that failed for want of room, and passes the error on.
func (p *process) check(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		p.blame(agent.DiskFull)
	}
	return err
}

// path of a file as the program names it.
func (p *process) path(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(p.spec.Dir, name)
}

// out and err are the process's outputs: writes to them end with the process.
func (p *process) out() io.Writer { return p.stdout.writer(p.ctx) }
func (p *process) err() io.Writer { return p.stderr.writer(p.ctx) }

// Signal implements guest.Process.
func (f *family) Signal(number int) error {
	f.leader.signal(syscall.Signal(number))
	return nil
}

// Kill implements guest.Process.
func (f *family) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.killed = true
	for p := range f.members {
		p.die(syscall.SIGKILL)
	}
}

// Wait implements guest.Process.
func (f *family) Wait() guest.Exit {
	<-f.leader.ended
	return guest.Exit{Code: f.leader.code, Signal: int(f.leader.deadly)}
}

// Finish implements guest.Process.
func (f *family) Finish(detach bool) guest.Usage {
	if !detach {
		f.Kill()
		f.alive.Wait()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.usage
}

// Measure implements guest.Process.
func (f *family) Measure() guest.Usage {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.usage.Limit = ""
	usage := f.usage
	for p := range f.members {
		usage.CPU += p.cpu
		usage.PeakMemory = max(usage.PeakMemory, p.memory)
	}
	return usage
}

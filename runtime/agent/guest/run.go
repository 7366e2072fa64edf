package guest

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
)

// run is one run from its start until it is forgotten.
type run struct {
	spec     agent.Run     // without the bytes of Stdin and Files
	programs []Program     // what is still to be started
	ended    chan struct{} // closed when result is final
	doomed   chan struct{} // closed when the run is to be killed
	stdin    stdin

	mu        sync.Mutex // guards what follows
	started   time.Time
	timeout   *time.Timer // nil before the clock was started, or without a limit
	changed   *sync.Cond  // of mu: output came, a follower got on, or the end
	out       [2]record   // of Stdout and Stderr
	order     interleaving
	followers map[*follower]struct{}
	writes    int  // counts writes to the records
	hurry     bool // the program is dead: do not wait for followers any more
	sealed    bool // the records are final; further output is dropped
	over      bool // the last program ended by itself or was killed
	proc      Process
	left      bool // proc was detached and something of it may live
	killed    agent.Verdict
	result    agent.Result
}

func newRun(spec agent.Run, programs []Program) *run {
	r := &run{
		spec:      spec,
		programs:  programs,
		started:   time.Now(),
		ended:     make(chan struct{}),
		doomed:    make(chan struct{}),
		stdin:     newStdin(spec.Stdin, spec.OpenStdin),
		followers: make(map[*follower]struct{}),
	}
	r.spec.Stdin, r.spec.Files, r.spec.Zygote = nil, nil, nil
	r.changed = sync.NewCond(&r.mu)
	for i := range r.out {
		r.out[i] = newRecord(spec.RecordBytes, liveSpan)
	}
	if spec.Terminal != nil {
		r.out[0] = newRecord(0, scrollback)
	}
	r.result = agent.Result{ID: spec.ID, Verdict: agent.Running, Phase: "run", StartedAt: r.started.UTC()}
	if len(spec.Build) > 0 {
		r.result.Phase = "build"
	}
	return r
}

// startClock begins to count the run's time: when it starts, or in a session when
// it has its turn.
func (r *run) startClock() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = time.Now()
	r.result.StartedAt = r.started.UTC()
	if r.spec.Timeout > 0 {
		r.timeout = time.AfterFunc(r.spec.Timeout, func() { r.kill(agent.Timeout) })
	}
}

// live takes the run to its end. Its first program was started, or failed to.
func (r *run) live(starter Starter, proc Process, err error) {
	for {
		r.programs = r.programs[1:]
		if err != nil {
			r.fail(err)
			break
		}
		if r.attend(proc) || len(r.programs) == 0 {
			break
		}
		r.enter("run")
		proc, err = starter.Start(r.programs[0])
	}
	if !r.spec.Detach {
		r.discard(starter)
	}
	r.finish()
}

// discard removes the run's scratch folder.
func (r *run) discard(starter Starter) {
	if r.spec.Scratch != "" {
		starter.Discard(r.spec.Scratch, r.spec.User == "root")
	}
}

// attend takes one program to its end and reports whether it failed.
func (r *run) attend(proc Process) (failed bool) {
	last := len(r.programs) == 0
	detach := last && r.spec.Detach
	r.adopt(proc)
	pumps := r.pump(proc)
	if last {
		go r.stdin.feed(proc.Stdin())
	} else {
		proc.Stdin().Close()
	}
	exit := proc.Wait()
	r.drain(pumps, drainLimit)
	usage := proc.Finish(detach)
	r.setHurry(true)
	failed = r.judge(exit, usage, last)
	if detach {
		r.drain(pumps, drainLimit)
		r.abandon(proc, pumps)
		return failed
	}
	if r.spec.Session == nil { // a session's tree lives on, and may hold them for ever
		within(escapeLimit, pumps)
	}
	proc.Close()
	<-pumps
	r.setHurry(false)
	return failed
}

// adopt makes proc the one that Kill and Signal reach.
func (r *run) adopt(proc Process) {
	r.mu.Lock()
	r.proc = proc
	killed := r.killed != ""
	r.mu.Unlock()
	if killed {
		proc.Kill()
	}
}

// abandon lets a detached tree go on; what it prints is dropped.
func (r *run) abandon(proc Process, pumps <-chan struct{}) {
	r.mu.Lock()
	r.left = true
	r.mu.Unlock()
	proc.Stdin().Close()
	go func() {
		<-pumps
		proc.Close()
		r.mu.Lock()
		r.left = false
		r.mu.Unlock()
	}()
}

// errDoomed: the run was killed before its program was started.
var errDoomed = errors.New("killed before the start")

// kill ends the run with a verdict, or what it left alive when it has ended.
func (r *run) kill(verdict agent.Verdict) {
	r.mu.Lock()
	if !r.over && r.killed == "" {
		r.killed = verdict
		close(r.doomed)
	}
	proc := r.proc
	r.mu.Unlock()
	if proc != nil {
		proc.Kill()
	}
}

func (r *run) isDoomed() bool {
	select {
	case <-r.doomed:
		return true
	default:
		return false
	}
}

// signal reaches the program and its process group, if there is one.
func (r *run) signal(number int) error {
	r.mu.Lock()
	proc, over := r.proc, r.over
	r.mu.Unlock()
	if proc == nil || over {
		return nil
	}
	return proc.Signal(number)
}

func (r *run) enter(phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Phase = phase
}

// judge folds a program's end into the result.
func (r *run) judge(exit Exit, usage Usage, last bool) (failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := &r.result
	res.CPU += usage.CPU
	res.PeakMemory = max(res.PeakMemory, usage.PeakMemory)
	limit := usage.Limit
	if limit == "" && exit.Failed() && usage.DiskStrained {
		limit = r.confessed()
	}
	if !last && !exit.Failed() && limit == "" {
		return false
	}
	r.over = true
	res.Answer, res.Forked = exit.Answer, exit.Forked
	res.ExitCode = exit.Code
	if exit.Signal != 0 {
		res.ExitCode = 128 + exit.Signal
		res.Signal = signalName(exit.Signal)
	}
	switch {
	case r.killed != "" && (exit.Signal == sigkill || exit.Interrupted):
		res.Verdict = r.killed
	case limit != "":
		res.Verdict = limit
	case exit.Signal != 0:
		res.Verdict = agent.Signaled
	default:
		res.Verdict = agent.Exited
	}
	return true
}

// fail ends the run because a program could not be started.
func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	res := &r.result
	res.Verdict = agent.Exited
	if r.killed != "" {
		res.Verdict, res.ExitCode = r.killed, 128+sigint
		return
	}
	if errors.Is(err, ErrMissing) {
		res.ExitCode = 127 // as a shell has it
		res.Missing = r.argv0()
		return
	}
	res.ExitCode = 126 // as a shell has it
	for errno, verdict := range map[syscall.Errno]agent.Verdict{
		syscall.EAGAIN: agent.PidsLimit,
		syscall.ENOMEM: agent.OutOfMemory,
		syscall.ENOSPC: agent.DiskFull,
		syscall.EDQUOT: agent.DiskFull,
	} {
		if errors.Is(err, errno) {
			res.Verdict = verdict
		}
	}
	r.out[1].write(fmt.Appendf(nil, "%v\n", err))
	r.order.add(1, r.out[1].total)
}

// argv0 of the program that could not be started.
func (r *run) argv0() string {
	if r.result.Phase == "build" {
		return r.spec.Build[0]
	}
	return r.spec.Command[0]
}

// finish makes the result final.
func (r *run) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sealed = true
	if r.timeout != nil {
		r.timeout.Stop()
	}
	r.result.Wall = time.Since(r.started)
	r.result.Stdout = r.out[0].result()
	r.result.Stderr = r.out[1].result()
	r.shrinkLocked()
	close(r.ended)
	r.stdin.drop()
	r.changed.Broadcast()
}

// shrinkLocked frees what followers needed when there are none.
func (r *run) shrinkLocked() {
	if !r.sealed || len(r.followers) > 0 {
		return
	}
	for i := range r.out {
		r.out[i].shrink()
	}
}

// size is the memory that the run's records hold.
func (r *run) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := r.out[0].size() + r.out[1].size()
	for _, a := range r.result.Artifacts {
		size += len(a.Data)
	}
	return size
}

// snapshot is the result as it is now, without the records.
func (r *run) snapshot() agent.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := r.result
	res.Stdout, res.Stderr, res.Answer = agent.Record{}, agent.Record{}, agent.Answer{}
	if !r.sealed {
		res.Wall = time.Since(r.started)
	}
	return res
}

// final is the result of a run that has ended.
func (r *run) final() agent.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result
}

func (r *run) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// isLeft reports whether the run left something alive.
func (r *run) isLeft() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left
}

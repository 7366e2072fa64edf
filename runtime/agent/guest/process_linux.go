package guest

import (
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent"
)

// process is a program below a supervisor.
type process struct {
	machine     *machine
	worker      *worker
	pipes       *pipes
	watchMemory int64
	fileSize    int64

	forked bool // from a zygote

	signalled chan struct{} // holds one token once a signal was sent
	left      chan struct{} // closed when the supervisor is not this program's any more

	end report // of exited, then of finished

	mu       sync.Mutex // guards what follows
	over     bool       // the supervisor is not this program's any more
	overtime *time.Timer
	limit    agent.Verdict // that the watch saw exceeded

	// Guarded by the machine's mutex.
	before counters // of the machine, when it started or was measured
	disk   strain
	shared bool // another program ran at the same time
}

// Stdin implements Process.
func (p *process) Stdin() io.WriteCloser { return p.pipes.ours[0] }

// Stdout implements Process.
func (p *process) Stdout() io.Reader { return p.pipes.ours[1] }

// Stderr implements Process.
func (p *process) Stderr() io.Reader { return p.pipes.ours[2] }

// Close implements Process.
func (p *process) Close() error { return p.pipes.Close() }

// start has the program's supervisor start it.
func (p *process) start(c *command, l *litter) (err error) {
	p.forked, err = p.worker.start(c, l.kind(), p.pipes.theirs)
	return err
}

// Signal implements Process.
func (p *process) Signal(number int) error {
	p.order(order{Op: "signal", Signal: number})
	select {
	case <-p.signalled:
	case <-p.left:
	case <-time.After(signalLimit): // the program has stopped its supervisor
	}
	return nil
}

// signalLimit bounds the wait for a signal to be sent.
const signalLimit = time.Second

// hear waits for what becomes of the program, and passes on meanwhile that
// signals were sent.
func (p *process) hear() (report, error) {
	for {
		r, err := p.worker.hear()
		if err != nil || r.Op != "signalled" {
			return r, err
		}
		select {
		case p.signalled <- struct{}{}:
		default:
		}
	}
}

// Measure implements Process. The time of processes that were reaped by a program
// itself is in that program's own.
func (p *process) Measure() Usage {
	now, free := p.machine.counters(), p.machine.diskFree()
	p.machine.mu.Lock()
	p.disk.see(free)
	u := Usage{DiskStrained: p.disk.strained(0, p.fileSize)}
	p.before = now
	p.disk, p.shared = newStrain(free), len(p.machine.active) > 1
	p.machine.mu.Unlock()
	for _, st := range p.tree(processes()) {
		u.CPU += time.Duration(st.ticks+st.reaped) * clockTick
		u.PeakMemory = max(u.PeakMemory, peakOf(st.pid))
	}
	return u
}

// tree are the processes of the program, of all that there are.
func (p *process) tree(all []procStat) []procStat {
	return slices.DeleteFunc(below(p.worker.pid, all), func(st procStat) bool { return int64(st.pid) == p.worker.zygote.Load() })
}

// Kill implements Process.
func (p *process) Kill() { p.order(order{Op: "kill"}) }

// breach ends the tree for a limit that it has exceeded.
func (p *process) breach(limit agent.Verdict) {
	p.mu.Lock()
	if p.limit == "" {
		p.limit = limit
	}
	p.mu.Unlock()
	p.Kill()
}

// order reaches the supervisor while it is this program's. One that is to end
// the tree and does not, because the program has stopped or bewitched it, is
// destroyed.
func (p *process) order(o order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	if (o.Op == "kill" || o.Op == "finish" && !o.Detach) && p.overtime == nil {
		p.overtime = time.AfterFunc(overthrow, p.worker.destroy)
		p.worker.wake()
	}
	o.Seq = p.worker.seq
	_ = p.worker.control.send(o) // a dead supervisor is noticed where it is heard
}

// Wait implements Process.
func (p *process) Wait() Exit {
	var err error
	p.end, err = p.hear()
	if err != nil {
		p.end = report{Signal: sigkill}
		p.lose()
	} else if p.end.Alone {
		p.free()
	}
	return Exit{Code: p.end.Code, Signal: p.end.Signal, Forked: p.forked}
}

// Finish implements Process.
func (p *process) Finish(detach bool) Usage {
	exit := Exit{Code: p.end.Code, Signal: p.end.Signal}
	left := !p.isOver()
	if left {
		p.order(order{Op: "finish", Detach: detach})
		end, err := p.hear()
		switch {
		case err != nil:
			p.lose()
		case detach:
			p.end = end
			go p.outlive()
		default:
			p.end = end
			p.free()
		}
	}
	u := Usage{CPU: p.end.CPU, PeakMemory: p.end.Peak}
	u.Limit, u.DiskStrained = p.verdict(exit, left)
	return u
}

// outlive waits for the end of a detached tree, whose supervisor ends with it.
func (p *process) outlive() {
	_, _ = p.hear()
	p.lose()
}

// free gives the supervisor back.
func (p *process) free() {
	p.leave()
	p.machine.release(p.worker)
}

// lose gives the supervisor up, and what it may have left.
func (p *process) lose() {
	p.worker.destroy()
	p.leave()
}

func (p *process) leave() {
	p.mu.Lock()
	p.over = true
	if p.overtime != nil {
		p.overtime.Stop()
	}
	p.mu.Unlock()
	close(p.left)
	p.machine.leave(p)
}

func (p *process) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

// counters of the machine that tell which limit was met.
type counters struct{ oomKills, refusedForks int64 }

func (m *machine) counters() counters {
	var c counters
	c.oomKills, _ = m.cgroup.oomKills.read()
	c.refusedForks, _ = m.cgroup.refused.read()
	return c
}

// verdict is the limit that a program ended for, and whether it may have met the
// disk's. Left tells that it had left descendants, which is how a fork bomb ends.
func (p *process) verdict(exit Exit, left bool) (limit agent.Verdict, diskStrained bool) {
	p.mu.Lock()
	limit = p.limit
	p.mu.Unlock()
	if limit != "" || !exit.Failed() && !left {
		return limit, false
	}
	now, free := p.machine.counters(), p.machine.diskFree()
	p.machine.mu.Lock()
	p.disk.see(free)
	disk, shared, before := p.disk, p.shared, p.before
	p.machine.mu.Unlock()
	// A shell reports the end of what it ran as 128 plus the signal.
	died := func(by unix.Signal) bool { return exit.Signal == int(by) || exit.Code == 128+int(by) }
	switch {
	case now.oomKills > before.oomKills && exit.Failed() && (died(unix.SIGKILL) || p.end.Killed || !shared):
		return agent.OutOfMemory, false
	case died(unix.SIGXFSZ):
		return agent.DiskFull, false
	case exit.Failed() && disk.filled():
		return agent.DiskFull, false
	case now.refusedForks > before.refusedForks:
		return agent.PidsLimit, false
	}
	return "", disk.strained(p.end.Wrote, p.fileSize)
}

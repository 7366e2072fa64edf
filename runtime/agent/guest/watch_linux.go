package guest

import (
	"cmp"
	"os"
	"slices"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
)

const (
	// watchEvery is how often memory and processes are counted where no cgroup
	// holds them.
	watchEvery = 25 * time.Millisecond
	// glanceEvery is how often the cheap signs are looked at: a full disk, and
	// refused forks.
	glanceEvery = 100 * time.Millisecond
	// oomStorm kills for want of memory end the run that has the most: its program
	// starts anew what the kernel takes, and every kill holds up whoever needs
	// memory meanwhile.
	oomStorm = 16
	// oomForgiven is how many a second are forgotten.
	oomForgiven = 1
	// forkRefusals end the run that has the most processes: a program that merely
	// meets the process limit gives up sooner, a fork bomb does not.
	forkRefusals = 2000
	// forkInsistence is enough when it goes on for forkPersistence: a bomb that
	// is slow, because it shares a core with all its own processes.
	forkInsistence  = 50
	forkPersistence = 3 * time.Second
	// forkForgiven is how many refusals a second are forgotten, so that those of
	// hours do not add up.
	forkForgiven = 5
)

// watch looks after the limits until quit is closed, when nothing runs any more.
func (m *machine) watch(quit <-chan struct{}) {
	began := m.counters()
	bomb := newBombWatch(began.refusedForks, time.Now())
	storm := bucket{forgiven: oomForgiven, last: time.Now(), seen: began.oomKills}
	tick := time.NewTimer(m.pace())
	defer tick.Stop()
	for glanced := time.Now(); ; tick.Reset(m.pace()) {
		select {
		case <-quit:
			return
		case <-tick.C:
		}
		if m.counting() {
			m.count()
		}
		now := time.Now()
		if now.Sub(glanced) < glanceEvery {
			continue
		}
		glanced = now
		m.glanceDisk()
		counted := m.counters()
		if storm.fill(counted.oomKills, now) >= oomStorm {
			storm.level = 0
			m.killLargest(m.uses(), byRSS, agent.OutOfMemory)
		}
		if bomb.exploded(counted.refusedForks, now) {
			m.killLargest(m.uses(), byThreads, agent.PidsLimit)
		}
	}
}

// watched reports whether there is anything to look after.
func (m *machine) watched() bool {
	return m.cgroup.pidsMax.file != nil || m.cgroup.oomKills.file != nil || m.config.DiskPath != "" || m.counting()
}

// counting reports whether processes have to be counted.
func (m *machine) counting() bool {
	if m.config.WatchMemory > 0 || m.config.WatchPids > 0 {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.active {
		if p.watchMemory > 0 {
			return true
		}
	}
	return false
}

func (m *machine) pace() time.Duration {
	if m.counting() {
		return watchEvery
	}
	return glanceEvery
}

// use is what one run's tree uses at a moment.
type use struct {
	process *process
	rss     int64 // bytes
	threads int
	cpu     time.Duration
}

func byRSS(u use) int64     { return u.rss }
func byThreads(u use) int64 { return int64(u.threads) }

// uses counts the trees of all that is alive.
func (m *machine) uses() []use {
	m.mu.Lock()
	uses := make([]use, 0, len(m.active))
	for p := range m.active {
		uses = append(uses, use{process: p})
	}
	m.mu.Unlock()
	all := processes()
	for i := range uses {
		u := &uses[i]
		for _, st := range u.process.tree(all) {
			u.rss += st.rss * int64(os.Getpagesize())
			u.threads += st.threads
			u.cpu += time.Duration(st.ticks) * clockTick
		}
	}
	return uses
}

// count holds the limits that no cgroup holds.
func (m *machine) count() {
	uses := m.uses()
	var rss int64
	threads := 0
	for _, u := range uses {
		rss += u.rss
		threads += u.threads
		if limit := u.process.watchMemory; limit > 0 && u.rss > limit && unshared([]use{u}) > limit {
			u.process.breach(agent.OutOfMemory)
		}
	}
	if limit := m.config.WatchMemory; limit > 0 && rss > limit && unshared(uses) > limit {
		m.killLargest(uses, byRSS, agent.OutOfMemory)
	}
	if limit := m.config.WatchPids; limit > 0 && threads > limit {
		m.killLargest(uses, byThreads, agent.PidsLimit)
	}
}

// unshared counts the memory of trees without what their processes share. It
// costs more than their resident sets, in which the pages of one program count
// once for each process that runs it; so it is asked only when those are too
// large.
func unshared(uses []use) (bytes int64) {
	all := processes()
	for _, u := range uses {
		for _, st := range below(u.process.worker.pid, all) {
			bytes += proportional(st)
		}
	}
	return bytes
}

// killLargest ends the run that uses most.
func (m *machine) killLargest(uses []use, by func(use) int64, limit agent.Verdict) {
	if len(uses) == 0 {
		return
	}
	slices.MaxFunc(uses, func(a, b use) int { return cmp.Compare(by(a), by(b)) }).process.breach(limit)
}

// bucket fills with what a counter counts and leaks at a steady rate.
type bucket struct {
	forgiven float64   // a second
	last     time.Time // it was filled
	seen     int64     // of the counter until then
	level    float64
}

// fill takes in the counter's value, and returns the level.
func (b *bucket) fill(counted int64, now time.Time) float64 {
	b.level = max(0, b.level-b.forgiven*now.Sub(b.last).Seconds()) + float64(counted-b.seen)
	b.last, b.seen = now, counted
	return b.level
}

// bombWatch tells a fork bomb by the forks that are refused to it.
type bombWatch struct {
	bucket
	since time.Time // the level has been above nothing
}

func newBombWatch(refused int64, now time.Time) bombWatch {
	return bombWatch{bucket: bucket{forgiven: forkForgiven, last: now, seen: refused}}
}

// exploded takes in how many forks have been refused so far.
func (b *bombWatch) exploded(refused int64, now time.Time) bool {
	if b.level == 0 {
		b.since = now
	}
	level := b.fill(refused, now)
	if level < forkRefusals && (level < forkInsistence || now.Sub(b.since) < forkPersistence) {
		return false
	}
	b.level = 0
	return true
}

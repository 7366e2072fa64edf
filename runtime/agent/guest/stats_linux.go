package guest

import (
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
)

// meter measures the rate at which CPU time is used.
type meter struct {
	mu  sync.Mutex // guards what follows; held while measuring
	at  time.Time
	cpu time.Duration // used until then
}

// meterSpan is the shortest time that a rate is measured over.
const meterSpan = 50 * time.Millisecond

// Stats implements Starter. Without a cgroup, CPU is of what has ended and what
// runs, and Memory the sum of resident sets, which counts shared pages twice.
func (m *machine) Stats() agent.Stats {
	s := agent.Stats{Disk: m.diskUsed()}
	s.CPU, s.CPUPercent = m.cpu()
	uses := m.uses()
	for _, u := range uses {
		s.Pids += u.threads
		s.Memory += u.rss
	}
	if used, ok := m.cgroup.memory.read(); ok {
		// What the kernel can drop at once is not in use, as engines count it too.
		cache, _ := m.cgroup.inactive.read()
		s.Memory = max(0, used-cache)
	}
	return s
}

// cpu returns the time used so far, and the rate since the previous call in
// percent of one core. The first call, or one soon after another, measures a
// short while.
func (m *machine) cpu() (time.Duration, float64) {
	m.meter.mu.Lock()
	defer m.meter.mu.Unlock()
	if m.meter.at.IsZero() || time.Since(m.meter.at) < meterSpan {
		m.meter.at, m.meter.cpu = time.Now(), m.cpuTime()
		time.Sleep(meterSpan)
	}
	now, cpu := time.Now(), m.cpuTime()
	rate := float64(cpu-m.meter.cpu) / float64(now.Sub(m.meter.at))
	m.meter.at, m.meter.cpu = now, cpu
	return cpu, 100 * max(0, rate)
}

func (m *machine) cpuTime() time.Duration {
	if n, ok := m.cgroup.cpu.read(); ok {
		return time.Duration(n) * m.cgroup.cpuUnit
	}
	cpu := m.spent()
	for _, u := range m.uses() {
		cpu += u.cpu
	}
	return cpu
}

// spent is the CPU time of the trees that are gone.
func (m *machine) spent() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.past
}

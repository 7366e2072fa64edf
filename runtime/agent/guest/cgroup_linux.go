package guest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// cgroup reads the counters of the machine's own control group. Its files stay
// open: reading one again costs one system call. Those that are not there read
// as 0, false.
type cgroup struct {
	memory, inactive, oomKills, cpu counter
	pids, pidsMax, refused          counter // refused: forks that met pidsMax
	cpuUnit                         time.Duration
}

// counter is a number in a file: behind a key, or the whole file.
type counter struct {
	file *os.File
	key  string
}

// openCgroup finds the counters below root: in one folder (v2), or in one for
// each controller (v1). On v2 programs is the folder of the programs' own group.
// See cgroups(7).
func openCgroup(root, programs string) *cgroup {
	open := func(name, key string) counter {
		if root == "" {
			return counter{}
		}
		f, err := os.Open(filepath.Join(root, name))
		if err != nil {
			return counter{}
		}
		c := counter{f, key}
		if _, ok := c.read(); !ok {
			f.Close()
			return counter{}
		}
		return c
	}
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return &cgroup{
			memory:   open("memory.current", ""),
			inactive: open("memory.stat", "inactive_file"),
			oomKills: open("memory.events", "oom_kill"),
			pids:     open(filepath.Join(programs, "pids.current"), ""),
			pidsMax:  open(filepath.Join(programs, "pids.max"), ""),
			refused:  open(filepath.Join(programs, "pids.events"), "max"),
			cpu:      open("cpu.stat", "usage_usec"),
			cpuUnit:  time.Microsecond,
		}
	}
	return &cgroup{
		memory:   open("memory/memory.usage_in_bytes", ""),
		inactive: open("memory/memory.stat", "total_inactive_file"),
		oomKills: open("memory/memory.oom_control", "oom_kill"),
		pids:     open("pids/pids.current", ""),
		pidsMax:  open("pids/pids.max", ""),
		refused:  open("pids/pids.events", "max"),
		cpu:      open("cpuacct/cpuacct.usage", ""),
		cpuUnit:  time.Nanosecond,
	}
}

func (g *cgroup) Close() error {
	for _, c := range []counter{g.memory, g.inactive, g.oomKills, g.cpu, g.pids, g.pidsMax, g.refused} {
		if c.file != nil {
			c.file.Close()
		}
	}
	return nil
}

// read returns the counter's value.
func (c counter) read() (int64, bool) {
	if c.file == nil {
		return 0, false
	}
	buf := make([]byte, 4096)
	n, _ := c.file.ReadAt(buf, 0)
	text := buf[:n]
	if c.key != "" {
		var found bool
		if text, found = value(text, c.key); !found {
			return 0, false
		}
	}
	v, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	return v, err == nil
}

// value finds "key value" in a file of such lines.
func value(text []byte, key string) ([]byte, bool) {
	for line := range bytes.Lines(text) {
		if k, v, ok := bytes.Cut(line, []byte{' '}); ok && string(k) == key {
			return v, true
		}
	}
	return nil, false
}

package guest

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// procStat is what the guest wants of /proc/PID/stat (proc(5)).
type procStat struct {
	pid, parent int
	state       byte
	ticks       int64 // user and system time, in clock ticks
	reaped      int64 // the same of its children that it has waited for
	threads     int
	rss         int64 // pages
}

// clockTick is the unit of procStat.ticks: USER_HZ is 100 on every architecture
// that the guest runs on.
const clockTick = 10 * time.Millisecond

// processes lists what /proc shows. Processes that end meanwhile are left out.
func processes() []procStat {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	stats := make([]procStat, 0, len(names))
	buf := make([]byte, 1024)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if st, ok := readStat(pid, buf); ok {
			stats = append(stats, st)
		}
	}
	return stats
}

// readStat goes below package os, whose files are made for the poller: a scan
// reads hundreds of them.
func readStat(pid int, buf []byte) (procStat, bool) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return procStat{}, false
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return procStat{}, false
	}
	return parseStat(pid, buf[:n])
}

// parseStat reads a stat line. The command's name may hold anything: fields are
// counted from its closing bracket.
func parseStat(pid int, line []byte) (procStat, bool) {
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return procStat{}, false
	}
	f := bytes.Fields(line[end+1:])
	if len(f) < 22 {
		return procStat{}, false
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(string(f[i]), 10, 64)
		return n
	}
	return procStat{
		pid:     pid,
		state:   f[0][0],
		parent:  int(number(1)),
		ticks:   number(11) + number(12),
		reaped:  number(13) + number(14),
		threads: int(number(17)),
		rss:     number(21),
	}, true
}

// below returns the processes that descend from root.
func below(root int, all []procStat) []procStat {
	children := make(map[int][]procStat, len(all))
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p)
	}
	tree := children[root]
	tree = tree[:len(tree):len(tree)]
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].pid]...)
	}
	return tree
}

// descendants returns the pids of all live processes below root.
func descendants(root int) []int {
	var pids []int
	for _, p := range below(root, processes()) {
		if p.state != 'Z' {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// peakOf is the largest resident set that a process has had, in bytes; 0 when it
// has ended.
func peakOf(pid int) int64 {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if size, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, _ := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(size), []byte(" kB"))), 10, 64)
			return kib << 10
		}
	}
	return 0
}

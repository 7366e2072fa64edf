package guest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// proportional returns a process's memory in bytes, with what it shares divided
// among those that share it: its proportional set size where the kernel lets us
// read that, else its resident set without what files and shared memory give it
// (proc(5): smaps_rollup, statm).
func proportional(p procStat) int64 {
	if kib, ok := pss(p.pid); ok {
		return kib << 10
	}
	page := int64(os.Getpagesize())
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.pid))
	if f := bytes.Fields(statm); err == nil && len(f) > 2 {
		if shared, err := strconv.ParseInt(string(f[2]), 10, 64); err == nil {
			return max(0, p.rss-shared) * page
		}
	}
	return p.rss * page
}

func pss(pid int) (kib int64, ok bool) {
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, false
	}
	_, rest, found := bytes.Cut(rollup, []byte("\nPss:"))
	if f := bytes.Fields(rest); found && len(f) > 0 {
		kib, err = strconv.ParseInt(string(f[0]), 10, 64)
		return kib, err == nil
	}
	return 0, false
}

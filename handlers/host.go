package handlers

import (
	"bufio"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
)

// host describes the machine that the server runs on. What the system does not
// tell is zero.
func host() Host {
	h := Host{OS: goruntime.GOOS, Arch: goruntime.GOARCH, CPUs: goruntime.NumCPU()}
	h.MemoryMiB, h.MemoryFreeMiB = memory()
	return h
}

// memory reads Linux's /proc/meminfo, proc(5), in MiB.
func memory() (total, available int) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		switch name {
		case "MemTotal":
			total = kib >> 10
		case "MemAvailable":
			available = kib >> 10
		}
	}
	return total, available
}

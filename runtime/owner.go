package runtime

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Self is the Owner that stands for this process.
var Self = sync.OnceValue(func() Owner {
	return Owner{Host: hostIdentity(), PID: os.Getpid(), Start: processStart(os.Getpid())}
})

// OwnerOf is the Owner that stands for another process of this host. It is Gone
// when there is no such process.
func OwnerOf(pid int) Owner {
	return Owner{Host: hostIdentity(), PID: pid, Start: processStart(pid)}
}

// String encodes the owner for a label or a column; ParseOwner reads it.
func (o Owner) String() string { return fmt.Sprintf("%s/%d/%s", o.Host, o.PID, o.Start) }

// ParseOwner reads what Owner.String wrote. Anything else gives the zero Owner,
// which is Gone.
func ParseOwner(s string) Owner {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return Owner{}
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil {
		return Owner{}
	}
	return Owner{Host: parts[0], PID: pid, Start: parts[2]}
}

// Gone reports whether the process has certainly ended. A process of another
// host is never known to be gone: a deadline must decide there.
func (o Owner) Gone() bool {
	if o == (Owner{}) {
		return true
	}
	self := Self()
	if o.Host != self.Host {
		// The same host after a reboot: the host part matches, the boot does not.
		name, _, _ := strings.Cut(o.Host, "@")
		own, _, _ := strings.Cut(self.Host, "@")
		return name == own
	}
	if o == self {
		return false
	}
	return !alive(o.PID) || processStart(o.PID) != o.Start
}

func hostIdentity() string {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return name
	}
	return strings.ReplaceAll(name, "/", "_") + "@" + strings.TrimSpace(string(boot))
}

// processStart returns field 22 of /proc/PID/stat, the start time in clock
// ticks since boot (proc(5)), or "" where there is no such file and when the
// process has ended.
func processStart(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The command name may hold spaces and brackets: count from the last one.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return "" // it has ended, and only waits for its parent to look
	}
	return fields[19]
}

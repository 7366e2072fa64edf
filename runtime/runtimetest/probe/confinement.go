//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

// patience with a connection or a lookup that nobody answers.
const patience = 5 * time.Second

func network(addresses []string) error {
	r := report.Network{Routes: routes(), Dial: map[string]string{}}
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			r.Interfaces = append(r.Interfaces, i.Name)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, "example.com"); err != nil {
		r.Lookup = err.Error()
	}
	for _, address := range addresses {
		conn, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			r.Dial[address] = err.Error()
			continue
		}
		conn.Close()
		r.Dial[address] = ""
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// routes counts those that do not belong to the loopback interface.
func routes() int {
	count := 0
	for file, device := range map[string]int{"/proc/net/route": 0, "/proc/net/ipv6_route": 9} {
		f, err := os.Open(file)
		if err != nil {
			continue // no such protocol here
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) > device && fields[device] != "lo" && fields[device] != "Iface" {
				count++
			}
		}
		f.Close()
	}
	return count
}

// temptations are what no program in a machine may do. Where one works, it does
// no harm: somebody may be running this outside a machine.
var temptations = map[string]func() error{
	"mount":          tryMount,
	"unshare net":    func() error { return unix.Unshare(unix.CLONE_NEWNET) },
	"ptrace init":    tryPtrace,
	"setuid":         func() error { return unix.Setuid(0) },
	"chroot":         func() error { return unix.Chroot("/") },
	"set host name":  trySetHostName,
	"write /proc":    func() error { return openForWriting("/proc/sys/kernel/hostname") },
	"sysrq":          func() error { return openForWriting("/proc/sysrq-trigger") },
	"make a device":  tryDevice,
	"raw socket":     func() error { return openSocket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP) },
	"kernel keyring": func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true); return err },
}

func tryMount() error {
	dir, err := os.MkdirTemp("", "probe")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	return unix.Unmount(dir, 0)
}

func tryPtrace() error {
	if err := unix.PtraceAttach(1); err != nil {
		return err
	}
	return unix.PtraceDetach(1)
}

func trySetHostName() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	return unix.Sethostname([]byte(name))
}

func tryDevice() error {
	path := fmt.Sprintf("%s/probe-device-%d", os.TempDir(), os.Getpid())
	if err := unix.Mknod(path, unix.S_IFBLK|0o600, 0); err != nil {
		return err
	}
	return os.Remove(path)
}

func openForWriting(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func openSocket(domain, kind, protocol int) error {
	fd, err := unix.Socket(domain, kind, protocol)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func privileges([]string) error {
	runtime.LockOSThread() // its status is what is read; the thread ends with the process
	r := report.Privileges{UID: os.Getuid()}
	if err := readStatus(&r); err != nil {
		return err
	}
	for name, attempt := range temptations {
		if attempt() == nil {
			r.Worked = append(r.Worked, name)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func readStatus(r *report.Privileges) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", syscall.Gettid()))
	if err != nil {
		return err
	}
	var all uint64
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch key {
		case "CapEff", "CapPrm", "CapInh", "CapAmb":
			bits, err := strconv.ParseUint(value, 16, 64)
			if err != nil {
				return err
			}
			all |= bits
		case "CapBnd":
			r.Bounding = value
		case "NoNewPrivs":
			r.NoNewPrivs = value == "1"
		case "Seccomp":
			if r.Seccomp, err = strconv.Atoi(value); err != nil {
				return err
			}
		}
	}
	r.Capabilities = strconv.FormatUint(all, 16)
	return nil
}

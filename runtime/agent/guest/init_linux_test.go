package guest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// vm is a guest that is the init of a pid namespace, in cgroups of its own.
type vm struct {
	t      *testing.T
	socket string
	init   *exec.Cmd
	exited chan error
}

// plan is what beInit is told.
type plan struct {
	Socket string
	Join   []string // cgroup.procs files
	UID    int      // run the guest as this user
	Disk   int      // bytes of a file system of the home's own
	Config guest.Config
}

// limits of a vm's cgroups; 0 = none.
type limits struct{ pids, memory int }

// newVM starts a guest as an init. Without privilege for namespaces and cgroups
// the test is skipped, and fails in CI.
func newVM(t *testing.T, p plan, l limits) *vm {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "needs root, for namespaces and cgroups")
	}
	dir := openDir(t)
	p.Socket = filepath.Join(dir, "socket")
	if p.Config.Home == "" {
		p.Config.Home = filepath.Join(dir, "home")
	}
	p.Config.CgroupRoot = filepath.Join(dir, "cgroup")
	if err := os.Mkdir(p.Config.CgroupRoot, 0o755); err != nil {
		t.Fatal(err)
	}
	for controller, limit := range map[string]struct {
		file  string
		value int
	}{"pids": {"pids.max", l.pids}, "memory": {"memory.limit_in_bytes", l.memory}} {
		if limit.value > 0 {
			p.Join = append(p.Join, newCgroup(t, p.Config.CgroupRoot, controller, limit.file, limit.value))
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	init := exec.Command("/proc/self/exe", "init", string(text))
	init.Stderr = os.Stderr
	init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Pdeathsig:  unix.SIGKILL,
	}
	ready, err := init.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := init.Start(); err != nil {
		skip(t, "no namespaces: "+err.Error())
	}
	v := &vm{t: t, socket: p.Socket, init: init, exited: make(chan error, 1)}
	if _, err := bufio.NewReader(ready).ReadString('\n'); err != nil {
		t.Error("init: ", err)
	}
	go func() { v.exited <- init.Wait() }()
	t.Cleanup(func() {
		init.Process.Kill()
		<-v.exited
	})
	return v
}

func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// newCgroup makes a v1 cgroup, shown below root as inside a container.
func newCgroup(t *testing.T, root, controller, file string, limit int) (procs string) {
	t.Helper()
	dir, err := os.MkdirTemp("/sys/fs/cgroup/"+controller, "guest-test-")
	if err != nil {
		skip(t, "no "+controller+" cgroup of version 1 to make: "+err.Error())
	}
	t.Cleanup(func() {
		for os.Remove(dir) == unix.EBUSY { // the last of its processes is about to go
			time.Sleep(time.Millisecond)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(limit)), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(root, controller)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "cgroup.procs")
}

// beInit is the init's side.
func beInit() error {
	var p plan
	if err := json.Unmarshal([]byte(os.Args[2]), &p); err != nil {
		return err
	}
	for _, procs := range p.Join {
		if err := os.WriteFile(procs, []byte("0"), 0); err != nil {
			return err
		}
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	if p.Disk > 0 {
		p.Config.DiskPath = p.Config.Home
		if err := unix.Mount("tmpfs", p.Config.Home, "tmpfs", 0, fmt.Sprintf("size=%d,mode=777", p.Disk)); err != nil {
			return err
		}
	}
	if p.UID != 0 {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(p.UID), syscall.Setuid(p.UID)); err != nil {
			return err
		}
	}
	l, err := net.Listen("unix", p.Socket)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return guest.Serve(context.Background(), l, p.Config)
}

func (v *vm) connect() *agent.Client {
	v.t.Helper()
	conn, err := net.Dial("unix", v.socket)
	if err != nil {
		v.t.Fatal(err)
	}
	c, err := agent.NewClient(conn)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { c.Close() })
	return c
}

// healthy runs something small and asks for the statistics.
func healthy(t *testing.T, c *agent.Client, id string) agent.Stats {
	t.Helper()
	res, err := c.Run(t.Context(), sh(id, "echo well"), nil)
	if err != nil || res.Verdict != agent.Exited || string(res.Stdout.Head) != "well\n" {
		t.Errorf("the VM is not well: %s, %v", brief(res), err)
	}
	stats, err := c.Stats(t.Context())
	if err != nil {
		t.Error(err)
	}
	return stats
}

// bombs fork without end, and go on when they may not: fast, and with pauses.
var bombs = map[string]string{
	"fast": "exec perl -e 'print qq(boom\\n); $| = 1; print q(); while (1) { fork }'",
	"slow": "exec bash -c 'echo boom; b() { while :; do b & done; }; b' 2>/dev/null",
	"left": "perl -e 'while (1) { defined fork or open F, q(>refused) }' & until [ -e refused ]; do :; done; echo boom",
}

func TestForkBomb(t *testing.T) {
	v := newVM(t, plan{}, limits{pids: 120})
	c := v.connect()
	for name, script := range bombs {
		t.Run(name, func(t *testing.T) {
			run := sh(name, script)
			run.Timeout = time.Minute
			res, err := c.Run(t.Context(), run, nil)
			if err != nil || res.Verdict != agent.PidsLimit || string(res.Stdout.Head) != "boom\n" {
				t.Errorf("got %s, %v", brief(res), err)
			}
			if stats := healthy(t, c, name+" after"); stats.Pids != 0 {
				t.Errorf("%d processes are left", stats.Pids)
			}
		})
	}
}

// TestNoRoomForSupervisor: where there is room for a supervisor but not for its
// threads, that is the process limit too.
func TestNoRoomForSupervisor(t *testing.T) {
	v := newVM(t, plan{}, limits{pids: 60})
	c := v.connect()
	for n := 38; n < 58; n++ { // of which one leaves too few
		hoard := sh(fmt.Sprint("hoard", n), fmt.Sprintf("i=0; while [ $i -lt %d ]; do sleep 1000 & i=$((i+1)); done", n))
		hoard.Detach = true
		if _, err := c.Run(t.Context(), hoard, nil); err != nil {
			t.Fatal(err)
		}
		for try := range 4 { // more than there are idle supervisors
			res, err := c.Run(t.Context(), sh(fmt.Sprintf("try%d-%d", n, try), "sleep 0.01"), nil)
			if err != nil || res.Verdict != agent.PidsLimit && (res.Verdict != agent.Exited || res.ExitCode != 0 && res.ExitCode != 2) {
				t.Errorf("beside %d processes: %s, %v", n, brief(res), err)
			}
		}
		if err := c.Kill(t.Context(), hoard.ID, agent.Cancelled); err != nil {
			t.Fatal(err)
		}
		for left := 1; left > 0; { // Kill does not wait; the test's time limit does
			stats, err := c.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			left = stats.Pids
		}
	}
}

func TestWatchedPids(t *testing.T) {
	v := newVM(t, plan{Config: guest.Config{WatchPids: 20}}, limits{pids: 300}) // a net below the rope
	c := v.connect()
	res, err := c.Run(t.Context(), sh("bomb", bombs["fast"]), nil)
	if err != nil || res.Verdict != agent.PidsLimit {
		t.Errorf("got %s, %v", brief(res), err)
	}
	healthy(t, c, "after")
}

func TestOutOfMemory(t *testing.T) {
	v := newVM(t, plan{}, limits{memory: 96 << 20})
	c := v.connect()
	for name, script := range map[string]string{
		"the program":       "echo before; exec tail /dev/zero",
		"below a shell":     "echo before; tail /dev/zero; exit $?",
		"child of a parent": "echo before; if tail /dev/zero; then :; else exit 1; fi",
	} {
		t.Run(name, func(t *testing.T) {
			res, err := c.Run(t.Context(), sh(name, script), nil)
			if err != nil || res.Verdict != agent.OutOfMemory || string(res.Stdout.Head) != "before\n" {
				t.Errorf("got %s, %v", brief(res), err)
			}
			if stats := healthy(t, c, name+" after"); stats.Memory <= 0 || stats.Memory > 96<<20 {
				t.Errorf("%d MiB in use", stats.Memory>>20)
			}
		})
	}
}

func TestDiskFull(t *testing.T) {
	v := newVM(t, plan{Disk: 8 << 20, Config: guest.Config{Home: openDir(t)}}, limits{})
	c := v.connect()
	quietly := sh("quietly", "dd if=/dev/zero of=big bs=1M count=99 2>/dev/null || exit 1")
	file := sh("its file", "true")
	file.Files = []agent.File{{Path: "code", Data: make([]byte, 1<<20)}}
	for _, run := range []agent.Run{quietly, file} {
		res, err := c.Run(t.Context(), run, nil)
		if err != nil || res.Verdict != agent.DiskFull {
			t.Errorf("%s: got %s, %v", run.ID, brief(res), err)
		}
	}
	for script, want := range map[string]agent.Verdict{
		"exit 1": agent.Exited, "echo No space left on device >&2; exit 1": agent.DiskFull,
	} {
		if res, err := c.Run(t.Context(), sh(script, script), nil); err != nil || res.Verdict != want {
			t.Errorf("on a disk that is full already, %s: %s, %v", script, brief(res), err)
		}
	}
	if stats, err := c.Stats(t.Context()); err != nil || stats.Disk < 7<<20 || stats.Disk > 8<<20 {
		t.Errorf("%d bytes in use, %v", stats.Disk, err)
	}
	if _, err := c.Run(t.Context(), sh("tidy", "rm big code"), nil); err != nil {
		t.Error(err)
	}
	if res, err := c.Run(t.Context(), sh("after", "echo No space left on device >&2; exit 1"), nil); err != nil || res.Verdict != agent.Exited {
		t.Errorf("with room again: %s, %v", brief(res), err)
	}
}

func TestStats(t *testing.T) {
	v := newVM(t, plan{Config: guest.Config{DiskPath: "/"}}, limits{memory: 512 << 20})
	c := v.connect()
	if err := c.Start(t.Context(), sh("busy", "while :; do :; done & sleep 1000")); err != nil {
		t.Fatal(err)
	}
	var stats agent.Stats
	for stats.Pids != 3 || stats.CPUPercent < 1 {
		var err error
		if stats, err = c.Stats(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if stats.CPU <= 0 || stats.Memory <= 0 || stats.Disk <= 0 || stats.Uptime <= 0 {
		t.Errorf("got %+v", stats)
	}
}

// Programs of the guest's own user can kill their supervisors. Nothing of them
// is left then either, and the guest goes on.
func TestKilledSupervisors(t *testing.T) {
	const user = 1000
	v := newVM(t, plan{UID: user, Config: guest.Config{Home: "/tmp"}}, limits{})
	c := v.connect()
	const script = `
		setsid sleep 1000 &
		(setsid sleep 1000 &)
		echo attack
		for s in TERM INT HUP QUIT USR1 STOP KILL; do kill -$s 1; done
		for p in /proc/[0-9]*; do
			case $(tr '\0' ' ' <$p/cmdline) in *supervise*) kill -%[1]s ${p#/proc/} ;; esac
		done
		sleep 1000`
	for _, signal := range []string{"KILL", "STOP"} {
		t.Run(signal, func(t *testing.T) {
			run := sh(signal, fmt.Sprintf(script, signal))
			var res agent.Result
			var err error
			if signal == "STOP" { // what is stopped ends at the timeout
				run.Timeout = time.Second
				res = timesOut(t, c, run, nil)
			} else {
				res, err = c.Run(t.Context(), run, nil)
			}
			if err != nil || !strings.HasPrefix(string(res.Stdout.Head), "attack\n") {
				t.Errorf("got %s, %v", brief(res), err)
			}
			if stats := healthy(t, c, signal+" after"); stats.Pids != 0 {
				t.Errorf("%d processes are left", stats.Pids)
			}
			// Nor is there anything that the guest knows nothing of.
			res, err = c.Run(t.Context(), sh(signal+" left", "cat /proc/[0-9]*/cmdline"), nil)
			if err != nil || strings.Contains(string(res.Stdout.Head), "sleep") {
				t.Errorf("left is %q; %v", res.Stdout.Head, err)
			}
		})
	}
}

// SIGTERM from outside ends the programs, gently first, and then the guest.
func TestTerminate(t *testing.T) {
	v := newVM(t, plan{}, limits{})
	c := v.connect()
	begun := make(chan struct{})
	ended := make(chan agent.Result, 1)
	go func() {
		res, err := c.Run(t.Context(), sh("gentle", "trap 'echo bye; exit 9' TERM; echo; sleep 1000 & wait"), func(_ agent.Stream, p []byte) {
			if string(p) == "\n" {
				close(begun)
			}
		})
		if err != nil {
			t.Error(err)
		}
		ended <- res
	}()
	<-begun
	if err := v.init.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if res := <-ended; res.ExitCode != 9 || string(res.Stdout.Head) != "\nbye\n" {
		t.Errorf("got %s", brief(res))
	}
	err := <-v.exited
	v.exited <- err
	if err != nil {
		t.Errorf("the guest ended with %v", err)
	}
}

// An init collects what others leave to it.
func TestZombies(t *testing.T) {
	v := newVM(t, plan{}, limits{})
	c := v.connect()
	res, err := c.Run(t.Context(), sh("z", "for i in 1 2 3 4 5; do (sleep 0 & exit) & done; wait"), nil)
	if err != nil || res.ExitCode != 0 {
		t.Errorf("got %s, %v", brief(res), err)
	}
	for i := 0; ; i++ { // until the last has been collected, or the test's time is over
		res, err = c.Run(t.Context(), sh(fmt.Sprint("look", i), "cat /proc/[0-9]*/stat | grep -c ' Z ' || true"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if string(res.Stdout.Head) == "0\n" {
			break
		}
	}
}

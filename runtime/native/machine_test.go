//go:build linux

package native_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// instance of the machines of these tests, one a process.
var instance = fmt.Sprintf("native%d", os.Getpid())

func spec(vm int64) runtime.Spec {
	return runtime.Spec{
		Ref:    runtime.Ref{Instance: instance, VM: vm},
		Name:   "My machine_1",
		Limits: runtime.Limits{CPU: 1, MemoryMiB: 128, DiskMiB: 64, Pids: 64},
	}
}

// makeMachine makes a machine that ends with the test.
func makeMachine(t *testing.T, driver runtime.Driver, spec runtime.Spec) {
	t.Helper()
	if _, err := driver.Create(t.Context(), spec, nil); err != nil {
		t.Fatalf("%v; %s", err, runtime.Hint(err))
	}
	t.Cleanup(func() {
		if err := driver.Destroy(context.Background(), spec.Ref); err != nil {
			t.Error(err)
		}
	})
}

var runs int

// shell runs a script in a machine and returns its output.
func shell(t *testing.T, driver runtime.Driver, ref runtime.Ref, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := driver.Open(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	client, err := agent.NewClient(stream)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	runs++
	result, err := client.Run(ctx, agent.Run{ID: fmt.Sprint("shell-", runs), Command: []string{"/bin/sh", "-c", script}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.ExitCode != 0 {
		t.Logf("%s: %s %d\n%s", script, result.Verdict, result.ExitCode, result.Stderr.Head)
	}
	return string(result.Stdout.Head)
}

// TestInside looks around in a machine.
func TestInside(t *testing.T) {
	state := t.TempDir()
	driver := nativeDriver(t, state)
	s := spec(1)
	makeMachine(t, driver, s)
	for _, test := range []struct{ name, script, want string }{
		{"host name", "cat /proc/sys/kernel/hostname; getent hosts My-machine-1 | cut -d' ' -f1", "My-machine-1\n127.0.1.1\n"},
		{"user", "id -un; id -u; id -G; echo $HOME; pwd", "sandbox\n1000\n1000\n/home/sandbox\n/home/sandbox\n"},
		{"capabilities", "grep -hE '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | cut -f2 | sort -u", "0000000000000000\n"},
		{"bounding set", "grep -h ^CapBnd /proc/self/status | cut -f2 | grep -cE '^0{14}(eb|00)$'", "1\n"}, // sandbox.guestCapabilities, or none
		{"locks", "grep -hE '^(NoNewPrivs|Seccomp):' /proc/self/status | cut -f2", "1\n2\n"},
		{"other processes", "cat /proc/[0-9]*/comm | sort -u | grep -vE '^(vm-agent|exe|sh|cat|sort|grep)$' || echo none", "none\n"},
		{"init cannot be looked into", "cat /proc/1/environ /proc/1/maps /proc/1/mem 2>/dev/null | wc -c; ls /proc/1/fd /proc/1/root 2>/dev/null | wc -l", "0\n0\n"},
		{"devices", "ls /dev | tr '\\n' ' '", "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero "},
		{"devices work", "echo gone > /dev/null; head -c 3 /dev/zero | wc -c; echo x > /dev/full || echo full; echo y > /dev/shm/y && cat /dev/shm/y", "3\nfull\ny\n"},
		{"devices stay", "touch /dev/new 2>/dev/null || echo no", "no\n"},
		{"network", "tail -n +2 /proc/net/route | wc -l; grep -c : /proc/net/dev; grep -o 'lo:' /proc/net/dev", "0\n1\nlo:\n"},
		{"proc is covered", "cat /proc/keys /proc/timer_list /proc/interrupts 2>/dev/null | wc -c; cat /proc/kcore 2>/dev/null | head -c 1 | wc -c", "0\n0\n"},
		{"proc is read-only", "(echo 1 > /proc/sysrq-trigger) 2>/dev/null || echo no; (echo x > /proc/sys/kernel/core_pattern) 2>/dev/null || echo no", "no\nno\n"},
		{"proc is covered read-only", "for d in bus fs irq sys; do grep -c \" /proc/$d ro,\" /proc/self/mountinfo; done", "1\n1\n1\n1\n"},
		{"toolchains are read-only", "touch /usr/bin/new 2>/dev/null || echo no", "no\n"},
		{"nothing of the host's", "ls /home; ls -A /root /run /var 2>/dev/null | grep -v : | sort -u | tr '\\n' ' '; cat /etc/shadow /etc/ssh/* 2>/dev/null | head -c 1", "sandbox\n tmp "},
		{"writable", "for d in . /tmp /var/tmp; do echo x > $d/file && cat $d/file; done", "x\nx\nx\n"},
		{"mounts", "mount -t tmpfs none /tmp 2>/dev/null || echo no; unshare -U true 2>/dev/null || echo no", "no\nno\n"},
		{"no set-user-id", "cp /bin/sh s && chmod u+s s && ./s -p -c 'id -u'", "1000\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := test.script
			if got := shell(t, driver, s.Ref, script); got != test.want {
				t.Errorf("%s\nprints %q, want %q", script, got, test.want)
			}
		})
	}
	t.Run("mounts name no path of the state folder", func(t *testing.T) {
		got := shell(t, driver, s.Ref, "cat /proc/self/mountinfo /proc/mounts")
		if strings.Contains(got, state) || !strings.Contains(got, " / / ") {
			t.Errorf("the folder is %s\n%s", state, got)
		}
	})
}

// TestDestroyAnything removes machines in every state that a dying driver can
// leave behind.
func TestDestroyAnything(t *testing.T) {
	state := t.TempDir()
	newDriverIn := func() runtime.Driver {
		return nativeDriver(t, state)
	}
	for name, damage := range map[string]func(t *testing.T, folder string){
		"running":           func(*testing.T, string) {},
		"record lost":       func(t *testing.T, folder string) { must(t, os.Remove(filepath.Join(folder, "machine.json"))) },
		"record cut":        func(t *testing.T, folder string) { must(t, os.Truncate(filepath.Join(folder, "machine.json"), 10)) },
		"still being made":  func(t *testing.T, folder string) { rewrite(t, folder, "phase", "making") },
		"removal cut short": func(t *testing.T, folder string) { rewrite(t, folder, "phase", "removing") },
		"volume lost":       func(t *testing.T, folder string) { must(t, os.RemoveAll(filepath.Join(folder, "volume.ext4"))) },
		"nothing but the volume": func(t *testing.T, folder string) {
			for _, name := range []string{"machine.json", "boot.log", "console.log", "agent.sock"} {
				must(t, os.Remove(filepath.Join(folder, name)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			driver := newDriverIn()
			s := spec(2)
			if _, err := driver.Create(t.Context(), s, nil); err != nil {
				t.Fatal(err)
			}
			init := processOf(t, state, s.Ref)
			damage(t, filepath.Join(state, "native", s.String()))
			// By another process, which knows only what is on the disk.
			driver = newDriverIn()
			for range 2 {
				if err := driver.Destroy(t.Context(), s.Ref); err != nil {
					t.Fatal(err)
				}
			}
			if !init.Gone() {
				t.Errorf("its process %d lives", init.PID)
			}
			if left, err := driver.List(t.Context(), instance); err != nil || len(left) != 0 {
				t.Errorf("left: %v, %v", left, err)
			}
			if _, err := os.Lstat(filepath.Join(state, "native", s.String())); !os.IsNotExist(err) {
				t.Errorf("the folder is still there: %v", err)
			}
		})
	}
	assertNothingLeft(t, state)
}

// TestInitDies notices that a machine has ended by itself, and starts it again.
func TestInitDies(t *testing.T) {
	state := t.TempDir()
	driver := nativeDriver(t, state)
	s := spec(3)
	makeMachine(t, driver, s)
	shell(t, driver, s.Ref, "echo kept > file")
	init := processOf(t, state, s.Ref)
	must(t, syscall.Kill(init.PID, syscall.SIGKILL))
	deadline := time.Now().Add(time.Minute)
	for {
		m, err := driver.Inspect(t.Context(), s.Ref)
		if err != nil {
			t.Fatal(err)
		}
		if m.State == runtime.Stopped {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %s", m.State)
		}
	}
	if _, err := driver.Start(t.Context(), s.Ref); err != nil {
		t.Fatal(err)
	}
	if got := shell(t, driver, s.Ref, "cat file"); got != "kept\n" {
		t.Errorf("the file has %q", got)
	}
}

// processOf returns a machine's process 1 as the host sees it.
func processOf(t *testing.T, state string, ref runtime.Ref) runtime.Owner {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(state, "native", ref.String(), "machine.json"))
	must(t, err)
	var record struct{ Init string }
	must(t, json.Unmarshal(raw, &record))
	init := runtime.ParseOwner(record.Init)
	if init.Gone() {
		t.Fatalf("the machine's process is %+v", init)
	}
	return init
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rewrite changes a field of a machine's record.
func rewrite(t *testing.T, folder, key, value string) {
	t.Helper()
	path := filepath.Join(folder, "machine.json")
	raw, err := os.ReadFile(path)
	must(t, err)
	record := map[string]any{}
	must(t, json.Unmarshal(raw, &record))
	record[key] = value
	raw, err = json.Marshal(record)
	must(t, err)
	must(t, os.WriteFile(path, raw, 0o600))
}

// assertNothingLeft looks for what machines below a state folder made on the
// host. What the kernel frees a moment later gets that moment.
func assertNothingLeft(t *testing.T, state string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		left := leftovers(t, state)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left behind: %v", left)
			return
		}
	}
}

func leftovers(t *testing.T, state string) []string {
	t.Helper()
	var left []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	if strings.Contains(string(mounts), state) {
		left = append(left, "a mount below "+state)
	}
	loops, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	must(t, err)
	for _, loop := range loops {
		if file, err := os.ReadFile(loop); err == nil && strings.HasPrefix(string(file), state) {
			left = append(left, loop)
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/itechsmart/*", "/sys/fs/cgroup/*/itechsmart/*"} {
		folders, err := filepath.Glob(pattern)
		must(t, err)
		for _, folder := range folders {
			if strings.Contains(folder, instance) {
				left = append(left, folder)
			}
		}
	}
	return left
}

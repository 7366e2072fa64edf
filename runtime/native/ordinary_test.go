//go:build linux

package native_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/runtimetest"
)

// ordinaryID is a user and group that the host does not know.
const ordinaryID = 54321

// TestConformanceOrdinaryUser runs the suite again as somebody who is not root:
// without subordinate ids, and with them.
func TestConformanceOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else; the suite has run as an ordinary user already")
	}
	for _, test := range []struct {
		name  string
		grant bool
	}{
		{"oneID", false},
		{"subordinateIDs", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := exec.LookPath("newuidmap"); test.grant && err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatal("newuidmap is not installed")
				}
				t.Skip("newuidmap is not installed: sudo apt-get install uidmap")
			}
			runAsOrdinaryUser(t, test.grant, "^TestConformance$/^("+strings.Join(ordinaryCases, "|")+")$")
			runAsOrdinaryUser(t, test.grant, "^(TestInside|TestDestroyAnything|TestInitDies|TestUplinkRefused)$")
		})
	}
}

// ordinaryCases are those of the suite that depend on who makes the machine. The
// guest, which all others are about, is the same.
var ordinaryCases = []string{
	"lifecycle", "createCancelled", "stopStart", "stopWithGrace", "manyAtOnce", "otherInstance", "logs",
	"surroundings", "files", "foreignFolders", "scratch", "stats", "timeoutKillsTree", "detach",
	"memoryLimit", "diskLimit", "pidsLimit", "forkStorm", "noNetwork", "noPrivileges",
}

// runAsOrdinaryUser runs tests of this binary as an ordinary user.
func runAsOrdinaryUser(t *testing.T, grant bool, pattern string) {
	probe, err := builtProbe()
	if err != nil {
		t.Fatal(err)
	}
	home := ordinaryHome(t)
	binary := filepath.Join(home, "native.test")
	copyFile(t, "/proc/self/exe", binary)
	agent := filepath.Join(home, "vm-agent")
	copyFile(t, agentProgram(t), agent)
	copyFile(t, probe, filepath.Join(home, "probe"))

	cmd := exec.Command(binary, "-test.run", pattern, "-test.v")
	cmd.Dir = home
	cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + home, "CI=" + os.Getenv("CI"),
		agentVariable + "=" + agent, runtimetest.ProbeVariable + "=" + filepath.Join(home, "probe"),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
	var out []byte
	run := func() { out, err = cmd.CombinedOutput() }
	if grant {
		withGrants(t, run)
	} else {
		run()
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
}

var builtProbe = onceProgram("probe", "github.com/itechsmart/vm/runtime/runtimetest/probe")

// ordinaryHome makes a folder of the user's below one that everybody may pass.
// What is in it may belong to other ids than the user's.
func ordinaryHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "native-home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chown(home, ordinaryID, ordinaryID); err != nil {
		t.Fatal(err)
	}
	return home
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, raw, 0o755)
	}
	if err == nil {
		err = os.Chmod(to, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// withGrants calls f where the user has a name, as newuidmap demands, and a
// range of subordinate ids, in a mount namespace that ends with its thread.
func withGrants(t *testing.T, f func()) {
	t.Helper()
	grant := fmt.Sprintf("%d:400000:65536\n", ordinaryID)
	files := map[string]string{
		"/etc/subuid": grant,
		"/etc/subgid": grant,
		"/etc/passwd": fmt.Sprintf("root:x:0:0::/:/bin/sh\nordinary:x:%d:%[1]d::/:/bin/sh\n", ordinaryID),
	}
	dir := t.TempDir()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		for path, content := range files {
			source := filepath.Join(dir, filepath.Base(path))
			if err == nil {
				err = os.WriteFile(source, []byte(content), 0o644)
			}
			if err == nil {
				err = unix.Mount(source, path, "", unix.MS_BIND, "")
			}
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

package systemtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/server/client"
)

// cyclesVariable sets how many cycles TestSnapshotCycles does. A thousand take some
// minutes.
const cyclesVariable = "ITECHSMART_TEST_CYCLES"

// TestSnapshotCycles takes snapshots of one VM, executes in it, restores and
// deletes, over and over: nothing grows with the number of cycles, neither on the
// host nor in the server.
func TestSnapshotCycles(t *testing.T) {
	cycles := 50
	if asked, err := strconv.Atoi(os.Getenv(cyclesVariable)); err == nil {
		cycles = asked
	}
	r := newRig(t, "native", "sqlite")
	c := r.serve(t, nil)
	var vm handlers.VM
	must(t, c.Call(t.Context(), "vm/create", map[string]any{"name": "a", "language": "bash"}, &vm))
	// Those that come first fill what is kept for good: the last twenty checkpoints,
	// connections, blocks of folders.
	warm := min(cycles/2, 30)
	var before traces
	for i := range cycles {
		if i == warm {
			before = r.traces(t, c, vm)
		}
		r.cycle(t, c, i)
	}
	after := r.traces(t, c, vm)
	t.Logf("after %d cycles %v\nafter %d cycles %v", warm, before, cycles, after)
	for what, n := range after {
		if most := before[what] + before[what]/4 + slack[what]; n > most {
			t.Errorf("%s: %d after %d cycles, %d after %d", what, before[what], warm, n, cycles)
		}
	}
}

// cycle is a snapshot, an execution, and the way back.
func (r *rig) cycle(t *testing.T, c *client.Client, i int) {
	t.Helper()
	name := fmt.Sprintf("s%d", i)
	execute := func(code, want string) {
		t.Helper()
		var e handlers.Execution
		must(t, c.Call(t.Context(), "vm/execute", map[string]any{"id": "a", "code": code}, &e))
		if e.Output != want || e.ExitCode != 0 {
			t.Fatalf("cycle %d: %s = %q, exit code %d: %s", i, code, e.Output, e.ExitCode, e.Error)
		}
	}
	execute(fmt.Sprintf("echo %d > state; head -c 200000 /dev/urandom > ballast; mkdir -p d/%d", i, i%7), "")
	must(t, c.Call(t.Context(), "vm/snapshot", map[string]any{"id": "a", "name": name}, nil))
	execute("echo lost > state; rm -r d; head -c 300000 /dev/urandom > more", "")
	must(t, c.Call(t.Context(), "vm/restore", map[string]any{"id": "a", "snapshot": name}, nil))
	execute("cat state; test ! -e more", fmt.Sprintln(i))
	must(t, c.Call(t.Context(), "vm/deleteSnapshot", map[string]any{"id": "a", "snapshot": name}, nil))
}

// traces counts what cycles could leave behind.
type traces map[string]int

// slack is what may come and go beside a quarter more: connections that are just
// being closed, layers between checkpoints.
var slack = traces{"descriptors": 4, "MiB of the disk": 1, "layers": 2}

func (r *rig) traces(t *testing.T, c *client.Client, vm handlers.VM) traces {
	t.Helper()
	found := traces{"descriptors": entries(t, fmt.Sprintf("/proc/%d/fd", c.Process()))}
	var status handlers.StatusResult
	must(t, c.Call(t.Context(), "vm/status", map[string]any{"id": "a"}, &status))
	found["MiB of the disk"] = status.Stats.DiskMiB
	found["mounts"] = len(lines(t, "/proc/self/mountinfo", r.state))
	machine := vm.ContainerID
	for what, pattern := range map[string]string{
		"control groups": "/sys/fs/cgroup/*/itechsmart/" + machine + "*",
		"folders":        filepath.Join(r.state, "itechsmart", "native", machine, "*"),
	} {
		paths, err := filepath.Glob(pattern)
		must(t, err)
		found[what] = len(paths)
	}
	found["layers"] = r.layers(t)
	backing, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	must(t, err)
	for _, file := range backing {
		found["loop devices"] += len(lines(t, file, r.state))
	}
	var e handlers.Execution
	must(t, c.Call(t.Context(), "vm/execute", map[string]any{"id": "a", "code": "wc -l < /proc/self/mountinfo", "checkpoint": false}, &e))
	found["mounts in the VM"], err = strconv.Atoi(strings.TrimSpace(e.Output))
	must(t, err)
	return found
}

// layers counts those of the rig's VMs.
func (r *rig) layers(t *testing.T) int {
	t.Helper()
	count := 0
	for _, record := range r.records(t) {
		count += len(record.Layers)
	}
	return count
}

func entries(t *testing.T, folder string) int {
	t.Helper()
	list, err := os.ReadDir(folder)
	must(t, err)
	return len(list)
}

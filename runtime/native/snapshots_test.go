//go:build linux

package native_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime"
)

// traces counts what snapshots could leave behind of one state folder's machines:
// mounts and descriptors of this process, loop devices, layers of the machine.
func traces(t *testing.T, state string) map[string]int {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{"mounts": strings.Count(string(mounts), "\n"), "descriptors": len(files)}
	backing, _ := filepath.Glob("/sys/block/loop*/loop/backing_file") // the pattern is right
	for _, file := range backing {
		if name, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(name), state) {
			counts["loop devices"]++
		}
	}
	records, _ := filepath.Glob(filepath.Join(state, "native", "itechsmart-*", "machine.json"))
	for _, file := range records {
		var r struct{ Layers []string }
		raw, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(raw, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		counts["layers"] += len(r.Layers)
	}
	return counts
}

// TestSnapshotCyclesLeaveNothing freezes the layer of a running machine over and
// over, as checkpoints do, with the last few kept.
func TestSnapshotCyclesLeaveNothing(t *testing.T) {
	state := t.TempDir()
	d := nativeDriver(t, state)
	snapshots, cycles := snapshotter(t, d), 60
	ref := spec(1).Ref
	makeMachine(t, d, spec(1))
	const mounts = "cut -d' ' -f5,6 /proc/self/mountinfo"
	mounted := shell(t, d, ref, mounts)
	var first map[string]int
	var used int64
	for i := range cycles {
		shell(t, d, ref, fmt.Sprintf("mkdir -p a && echo %d > a/state && echo x > only%d && rm -f only%d && head -c 200000 /dev/urandom > ballast", i, i, i-2))
		takeAtOnce(t, snapshots, ref, fmt.Sprint("s", i))
		if i >= 4 {
			must(t, snapshots.DeleteSnapshot(t.Context(), ref, fmt.Sprint("s", i-4)))
		}
		if i == cycles/2 {
			first, used = traces(t, state), usage(t, d, ref)
		}
	}
	for what, n := range traces(t, state) {
		const own = 2 // of this test: a connection that is being closed
		if n > first[what]+own {
			t.Errorf("%s: %d after %d cycles, %d after %d", what, first[what], cycles/2, n, cycles)
		}
	}
	if now := usage(t, d, ref); now > used+used/2 {
		t.Errorf("%d bytes of the disk are used after %d cycles, %d were after %d", now, cycles, used, cycles/2)
	}
	if got := shell(t, d, ref, mounts); got != mounted {
		t.Errorf("the machine's mounts were\n%s\nand are\n%s", mounted, got)
	}
	const look = "cat a/state; ls"
	if got, want := shell(t, d, ref, look), shows(cycles-1); got != want {
		t.Errorf("after all cycles the machine has %q, want %q", got, want)
	}
	if _, err := snapshots.Restore(t.Context(), ref, fmt.Sprint("s", cycles-3)); err != nil {
		t.Fatal(err)
	}
	if got, want := shell(t, d, ref, look), shows(cycles-3); got != want {
		t.Errorf("restored, the machine has %q, want %q", got, want)
	}
}

// shows is what the machine of TestSnapshotCyclesLeaveNothing shows after a cycle.
func shows(cycle int) string {
	return fmt.Sprintf("%d\na\nballast\nonly%d\nonly%d\n", cycle, cycle-1, cycle)
}

// takeAtOnce takes a snapshot as soon as the supervisor of the last run is idle.
func takeAtOnce(t *testing.T, snapshots runtime.Snapshotter, ref runtime.Ref, name string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		_, err := snapshots.Snapshot(t.Context(), ref, name, true, nil)
		if err == nil {
			return
		}
		if !errors.Is(err, runtime.ErrSlow) || time.Now().After(deadline) {
			t.Fatalf("snapshot %s: %v", name, err)
		}
	}
}

func snapshotter(t *testing.T, d runtime.Driver) runtime.Snapshotter {
	t.Helper()
	features, err := d.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if features.Snapshots == "" {
		t.Skip("no snapshots here: they take root and a freezer")
	}
	return d.(runtime.Snapshotter)
}

func usage(t *testing.T, d runtime.Driver, ref runtime.Ref) int64 {
	t.Helper()
	used, err := d.DiskUsage(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// TestMend plays drivers that died in the middle of a snapshot: with the machine
// standing still, and with a layer on record that was never put in place.
func TestMend(t *testing.T) {
	state := t.TempDir()
	d := nativeDriver(t, state)
	snapshots := snapshotter(t, d)
	s := spec(1)
	makeMachine(t, d, s)
	shell(t, d, s.Ref, "echo kept > file")
	announce := func() {
		path := filepath.Join(state, "native", s.Ref.String(), "machine.json")
		raw, err := os.ReadFile(path)
		must(t, err)
		var r map[string]any
		must(t, json.Unmarshal(raw, &r))
		r["layers"] = append([]any{"0099"}, r["layers"].([]any)...)
		r["last"] = 99
		raw, err = json.Marshal(r)
		must(t, err)
		must(t, os.WriteFile(path, raw, 0o600))
	}

	announce()
	freezeByHand(t, s.Ref)
	must(t, snapshots.Mend(t.Context(), s.Ref))
	takeAtOnce(t, snapshots, s.Ref, "mended")
	shell(t, d, s.Ref, "echo lost > file")
	if _, err := snapshots.Restore(t.Context(), s.Ref, "mended"); err != nil {
		t.Fatal(err)
	}
	if got := shell(t, d, s.Ref, "cat file"); got != "kept\n" {
		t.Errorf("the snapshot holds %q, want what the machine had written", got)
	}

	shell(t, d, s.Ref, "echo newer > file")
	announce()
	must(t, d.Stop(t.Context(), s.Ref, 0))
	if _, err := d.Start(t.Context(), s.Ref); err != nil {
		t.Fatal(err)
	}
	if got := shell(t, d, s.Ref, "cat file"); got != "newer\n" {
		t.Errorf("started with the announced layer, the machine has %q", got)
	}
	freezeByHand(t, s.Ref) // and is destroyed like that
}

// freezeByHand has a machine stand still, as a driver leaves it that is killed.
func freezeByHand(t *testing.T, ref runtime.Ref) {
	t.Helper()
	for pattern, word := range map[string]string{
		"/sys/fs/cgroup/freezer/itechsmart/%s/freezer.state": "FROZEN",
		"/sys/fs/cgroup/itechsmart/%s/cgroup.freeze":         "1",
	} {
		file := fmt.Sprintf(pattern, ref)
		if _, err := os.Stat(file); err == nil {
			must(t, os.WriteFile(file, []byte(word), 0))
			return
		}
	}
	t.Fatal("the machine has no freezer")
}

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
	"github.com/itechsmart/vm/runtime/agent"
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
	for deadline := time.Now().Add(time.Minute); ; {
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

// TestUnchanged makes every kind of change to a machine's files: each is noticed,
// and executions that make none are none.
func TestUnchanged(t *testing.T) {
	d := nativeDriver(t, t.TempDir())
	snapshots := snapshotter(t, d)
	s := spec(1)
	makeMachine(t, d, s)
	shell(t, d, s.Ref, "mkdir -p a/b /tmp/kept && echo x > a/file && ln -s file a/link && chmod 600 a/file && touch /tmp/kept/file")
	takeWhenQuiet(t, snapshots, s.Ref, "s")
	unchanged := func() bool {
		t.Helper()
		same, err := snapshots.Unchanged(t.Context(), s.Ref, "s")
		must(t, err)
		return same
	}
	for _, harmless := range []string{
		"true", "cat a/file /etc/hosts; ls -lR . /tmp /etc", "mkdir /tmp/run-1 && echo x > /tmp/run-1/file && rm -r /tmp/run-1",
		"echo x > /dev/shm/x; cd a/b && sh -c 'exit 1'", "touch /usr/x /x; mkdir /y; chmod 700 /; rm -rf /usr /etc/hosts; true",
	} {
		shell(t, d, s.Ref, harmless)
		if !unchanged() {
			t.Fatalf("after %q, something has changed", harmless)
		}
	}
	for _, change := range []string{
		"echo y > new", "echo y >> a/file", "touch a/file", "chmod 644 a/file", "rm a/link", "mv a/file a/other", "ln a/file a/hard",
		"touch -d yesterday a", "chmod 700 a/b", "rmdir a/b", "touch /tmp/new", "rm /tmp/kept/file", "rm -r /tmp/kept", "touch -m /tmp/kept",
		"rm -r a", "truncate -s 1 a/file", ": > a/file", "ln -sfn other a/link", "touch -h a/link", "mkdir /tmp/run-1", "mkfifo /tmp/f",
		"dd if=/dev/zero of=a/file bs=1 count=1 conv=notrunc status=none",
	} {
		shell(t, d, s.Ref, change)
		if unchanged() {
			t.Errorf("%q is no change", change)
		}
		if _, err := snapshots.Restore(t.Context(), s.Ref, "s"); err != nil {
			t.Fatal(err)
		}
		if !unchanged() {
			t.Fatalf("after %q was undone, something has changed", change)
		}
	}
}

// takeWhenQuiet takes a snapshot that freezes the machine's layer.
func takeWhenQuiet(t *testing.T, snapshots runtime.Snapshotter, ref runtime.Ref, name string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		takeAtOnce(t, snapshots, ref, name)
		frozen, err := snapshots.Unchanged(t.Context(), ref, name)
		must(t, err)
		if frozen {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the machine never comes to rest")
		}
		must(t, snapshots.DeleteSnapshot(t.Context(), ref, name))
	}
}

// TestSnapshotOfHeldFiles takes snapshots at once of a machine in which a program
// writes to a file that it holds open, in a folder that it works in.
func TestSnapshotOfHeldFiles(t *testing.T) {
	d := nativeDriver(t, t.TempDir())
	snapshots := snapshotter(t, d)
	s := spec(1)
	makeMachine(t, d, s)
	client := connect(t, d, s.Ref)
	const writer = `mkdir -p work && cd work && exec 3>>log && while read line; do echo "$line" >&3; echo done; done`
	run := agent.Run{ID: "writer", Command: []string{"/bin/sh", "-c", writer}, OpenStdin: true}
	must(t, client.Start(t.Context(), run))
	answers := make(chan string)
	go func() {
		defer close(answers)
		_, _ = client.Follow(t.Context(), run.ID, func(_ agent.Stream, text []byte) { answers <- string(text) }) // ended by the restoration
	}()
	for _, line := range []string{"one", "two", "three"} {
		must(t, client.Input(t.Context(), run.ID, []byte(line+"\n"), false))
		if got := <-answers; got != "done\n" {
			t.Fatalf("the writer says %q", got)
		}
		takeAtOnce(t, snapshots, s.Ref, line)
	}
	for name, want := range map[string]string{"two": "one\ntwo\n", "three": "one\ntwo\nthree\n", "one": "one\n"} {
		if _, err := snapshots.Restore(t.Context(), s.Ref, name); err != nil {
			t.Fatal(err)
		}
		if got := shell(t, d, s.Ref, "cat work/log"); got != want {
			t.Errorf("snapshot %s holds %q, want %q", name, got, want)
		}
	}
	for range answers { // until the stream has ended
	}
}

// connect opens a stream to a machine's guest, until the test ends.
func connect(t *testing.T, d runtime.Driver, ref runtime.Ref) *agent.Client {
	t.Helper()
	stream, err := d.Open(t.Context(), ref)
	must(t, err)
	client, err := agent.NewClient(stream)
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// TestLargeLayersAreMergedLater: a snapshot of a running machine does not wait for
// many files to be renamed, one of a stopped machine does.
func TestLargeLayersAreMergedLater(t *testing.T) {
	state := t.TempDir()
	d := nativeDriver(t, state)
	snapshots := snapshotter(t, d)
	s := spec(1)
	makeMachine(t, d, s)
	layers := func(name string, want int) {
		t.Helper()
		if got := traces(t, state)["layers"]; got != want {
			t.Errorf("%d layers after snapshot %s, want %d", got, name, want)
		}
	}
	takeWhenQuiet(t, snapshots, s.Ref, "empty")
	shell(t, d, s.Ref, "mkdir many && cd many && seq 600 | xargs touch")
	takeWhenQuiet(t, snapshots, s.Ref, "many")
	layers("many", 3)
	for _, name := range []string{"empty", "many"} {
		must(t, snapshots.DeleteSnapshot(t.Context(), s.Ref, name))
	}
	shell(t, d, s.Ref, "echo x > file")
	takeWhenQuiet(t, snapshots, s.Ref, "file")
	layers("file", 4)
	must(t, d.Stop(t.Context(), s.Ref, 0))
	_, err := snapshots.Snapshot(t.Context(), s.Ref, "stopped", false, nil)
	must(t, err)
	layers("stopped", 3) // one of each snapshot, and one to write to
	if _, err := snapshots.Restore(t.Context(), s.Ref, "file"); err != nil {
		t.Fatal(err)
	}
	if got := shell(t, d, s.Ref, "ls many | wc -l; cat file"); got != "600\nx\n" {
		t.Errorf("merged, the machine has %q", got)
	}
}

// TestRestoreOfAFullDisk goes back from where nothing more can be written.
func TestRestoreOfAFullDisk(t *testing.T) {
	d := nativeDriver(t, t.TempDir())
	snapshots := snapshotter(t, d)
	s := spec(1)
	makeMachine(t, d, s)
	shell(t, d, s.Ref, "echo kept > file")
	takeAtOnce(t, snapshots, s.Ref, "s")
	const fill = "cat /dev/zero > fill 2>/dev/null; seq 5000 | xargs mkdir 2>/dev/null; (echo more > more) 2>/dev/null || echo full"
	if got := shell(t, d, s.Ref, fill); got != "full\n" {
		t.Skip("the disk limit is not held here")
	}
	if _, err := snapshots.Restore(t.Context(), s.Ref, "s"); err != nil {
		t.Fatal(err)
	}
	if got := shell(t, d, s.Ref, "ls; cat file; echo new > other; cat other"); got != "file\nkept\nnew\n" {
		t.Errorf("restored, the machine has %q", got)
	}
}

// TestMend plays drivers that died in the middle of a snapshot: with the machine
// standing still, and with a layer in place that the record does not tell of.
func TestMend(t *testing.T) {
	state := t.TempDir()
	d := nativeDriver(t, state)
	snapshots := snapshotter(t, d)
	s := spec(1)
	makeMachine(t, d, s)
	shell(t, d, s.Ref, "echo kept > file")
	// unrecorded takes a snapshot that the record does not tell of, like somebody
	// who dies right before he records it.
	unrecorded := func() {
		path := filepath.Join(state, "native", s.Ref.String(), "machine.json")
		raw, err := os.ReadFile(path)
		must(t, err)
		takeWhenQuiet(t, snapshots, s.Ref, "unrecorded")
		must(t, os.WriteFile(path, raw, 0o600))
		freezeByHand(t, s.Ref)
	}

	unrecorded()
	must(t, snapshots.Mend(t.Context(), s.Ref))
	if names, err := snapshots.Snapshots(t.Context(), s.Ref); err != nil || len(names) > 0 {
		t.Errorf("snapshots: %q, %v; want none", names, err)
	}
	shell(t, d, s.Ref, "echo more >> file")
	takeAtOnce(t, snapshots, s.Ref, "mended")
	shell(t, d, s.Ref, "echo lost > file")
	if _, err := snapshots.Restore(t.Context(), s.Ref, "mended"); err != nil {
		t.Fatal(err)
	}
	if got := shell(t, d, s.Ref, "cat file"); got != "kept\nmore\n" {
		t.Errorf("the snapshot holds %q, want what the machine had written", got)
	}

	shell(t, d, s.Ref, "echo newer > file")
	unrecorded()
	must(t, d.Stop(t.Context(), s.Ref, 0))
	if _, err := d.Start(t.Context(), s.Ref); err != nil {
		t.Fatal(err)
	}
	if got := shell(t, d, s.Ref, "cat file"); got != "newer\n" {
		t.Errorf("started without the unrecorded layer, the machine has %q", got)
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

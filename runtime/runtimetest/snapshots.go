package runtimetest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// snapshots returns the driver as a Snapshotter; a case that needs one is skipped
// where the driver's features name none.
func (s *suite) snapshots(t *testing.T) runtime.Snapshotter {
	t.Helper()
	snapshotter, is := s.driver.(runtime.Snapshotter)
	switch {
	case s.features.Snapshots == "":
		t.Skip("the driver takes no snapshots here")
	case !is:
		t.Fatalf("the features name a cost of snapshots, %q, but the driver is no Snapshotter", s.features.Snapshots)
	}
	return snapshotter
}

// take takes a snapshot that must succeed.
func (m *machine) take(t *testing.T, name string) {
	t.Helper()
	if _, err := m.snapshots(t).Snapshot(t.Context(), m.spec.Ref, name, false, nil); err != nil {
		t.Fatalf("snapshot %s: %v", name, err)
	}
}

// restore restores a snapshot and connects again.
func (m *machine) restore(t *testing.T, name string) {
	t.Helper()
	ctx := t.Context()
	restored, err := m.snapshots(t).Restore(ctx, m.spec.Ref, name)
	if err != nil {
		t.Fatalf("restore %s: %v", name, err)
	}
	if restored.State != runtime.Running || restored.Enforcement != m.made.Enforcement || restored.Image != m.made.Image {
		t.Errorf("restored %s\nmade %s", show(restored), show(m.made))
	}
	<-m.client.Done()
	if err := m.connect(ctx); err != nil {
		t.Fatalf("connect after restoring %s: %v", name, err)
	}
}

// say writes a file that tells one state from another.
func (m *machine) say(t *testing.T, text string) {
	t.Helper()
	run := m.program("print", "said")
	run.Files = []agent.File{{Path: "state", Data: []byte(text)}}
	expect(t, m.run(t, run), agent.Exited, 0)
}

func (m *machine) expectSaid(t *testing.T, want string) {
	t.Helper()
	if got := m.probe(t, "read", "state"); got != want {
		t.Errorf("the machine is in the state %q, want %q", got, want)
	}
}

var fractions = regexp.MustCompile(`\.\d{9} `)

// listing is all there is to know of the files in a folder; times to the second
// where files are copied into an image, which keeps no more.
func (m *machine) listing(t *testing.T, folder string) string {
	t.Helper()
	list := m.probe(t, "listing", folder)
	if m.features.Snapshots == runtime.SnapshotCopied {
		list = fractions.ReplaceAllString(list, " ")
	}
	return list
}

// testSnapshotExact restores one of every kind of file after everything was
// changed, twice.
func testSnapshotExact(t *testing.T, s *suite) {
	s.snapshots(t)
	m := s.fresh(t, s.spec())
	m.probe(t, "tree", "kept")
	want := m.listing(t, "kept")
	m.take(t, "exact")
	for range 2 {
		m.probe(t, "spoil", "kept")
		if m.listing(t, "kept") == want {
			t.Fatal("nothing has changed")
		}
		m.restore(t, "exact")
		got := m.listing(t, "kept")
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
			t.Fatalf("restored (-want +got):\n%s", diff)
		}
	}
}

// testSnapshotRunning takes a snapshot of a machine in which a program runs: it
// goes on, and ends when the snapshot is restored.
func testSnapshotRunning(t *testing.T, s *suite) {
	s.snapshots(t)
	m := s.fresh(t, s.spec())
	m.say(t, "before")
	run := m.program("greet")
	run.OpenStdin = true
	result := m.during(t, run, func(ctx context.Context, id string) {
		m.take(t, "running")
		m.say(t, "after")
		if err := m.client.Input(ctx, id, []byte("on\n"), true); err != nil {
			t.Error(err)
		}
	})
	if expect(t, result, agent.Exited, 0); !strings.Contains(string(result.Stdout.Head), "got on\n") {
		t.Errorf("the program did not go on: %s", describe(result))
	}
	run = m.program("sleep", "1h")
	if err := m.client.Start(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	m.restore(t, "running")
	m.expectSaid(t, "before")
	if _, err := m.client.Follow(t.Context(), run.ID, nil); !errors.Is(err, agent.ErrNotFound) {
		t.Errorf("a run from before the restoration: %v, want ErrNotFound", err)
	}
}

// testSnapshotChain deletes in the middle of a chain, and restores to all of it,
// forwards and backwards.
func testSnapshotChain(t *testing.T, s *suite) {
	snapshots := s.snapshots(t)
	m := s.fresh(t, s.spec())
	names := []string{"one", "two", "three", "four"}
	for _, name := range names {
		m.say(t, name)
		m.probe(t, "write", name, "1")
		m.take(t, name)
	}
	for range 2 {
		if err := snapshots.DeleteSnapshot(t.Context(), m.spec.Ref, "two"); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	left, err := snapshots.Snapshots(t.Context(), m.spec.Ref)
	slices.Sort(left)
	if want := []string{"four", "one", "three"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("snapshots left: %q, %v; want %q", left, err, want)
	}
	for _, name := range []string{"one", "four", "three", "one", "three"} {
		m.restore(t, name)
		m.expectSaid(t, name)
		for i, file := range names {
			there := m.run(t, m.program("read", file)).ExitCode == 0
			if want := i <= slices.Index(names, name); there != want {
				t.Errorf("restored to %s: file %s is there: %v, want %v", name, file, there, want)
			}
		}
		m.say(t, "something else")
	}
	if _, err := snapshots.Restore(t.Context(), m.spec.Ref, "two"); !errors.Is(err, runtime.ErrNoSnapshot) {
		t.Errorf("restore what was deleted: %v, want ErrNoSnapshot", err)
	}
	m.healthy(t)
}

// testSnapshotStopped takes and restores snapshots of a stopped machine.
func testSnapshotStopped(t *testing.T, s *suite) {
	s.snapshots(t)
	ctx := t.Context()
	m := s.fresh(t, s.spec())
	m.say(t, "kept")
	if err := s.driver.Stop(ctx, m.spec.Ref, 0); err != nil {
		t.Fatal(err)
	}
	m.take(t, "stopped")
	if seen, err := s.driver.Inspect(ctx, m.spec.Ref); err != nil || seen.State != runtime.Stopped {
		t.Errorf("after the snapshot: %s, %v", show(seen), err)
	}
	if _, err := s.driver.Start(ctx, m.spec.Ref); err != nil {
		t.Fatal(err)
	}
	if err := m.connect(ctx); err != nil {
		t.Fatal(err)
	}
	m.expectSaid(t, "kept")
	m.say(t, "lost")
	if err := s.driver.Stop(ctx, m.spec.Ref, 0); err != nil {
		t.Fatal(err)
	}
	m.restore(t, "stopped")
	m.expectSaid(t, "kept")
}

// testSnapshotFork makes several machines of one that runs, at once; they are
// its equals, and do not depend on it.
func testSnapshotFork(t *testing.T, s *suite) {
	snapshots := s.snapshots(t)
	ctx := t.Context()
	origin := s.fresh(t, s.spec())
	origin.probe(t, "tree", "kept")
	want := origin.listing(t, "kept")
	origin.take(t, "fork")
	origin.probe(t, "spoil", "kept")

	forks := make(chan *machine)
	specs := []runtime.Spec{s.spec(), s.spec()}
	for _, spec := range specs {
		go func() {
			m := &machine{suite: s, spec: spec}
			var err error
			if m.made, err = snapshots.CreateFrom(ctx, spec, origin.spec.Ref, "fork", nil); err != nil {
				t.Errorf("create from a snapshot: %v", err)
				m = nil
			}
			forks <- m
		}()
	}
	var made []*machine
	for range specs {
		if m := <-forks; m != nil {
			made = append(made, m)
			t.Cleanup(func() {
				if err := s.destroy(m.spec.Ref); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err := s.destroy(origin.spec.Ref); err != nil {
		t.Fatalf("destroy the origin: %v", err)
	}
	s.expectGone(t, origin.spec.Ref)
	for _, m := range made {
		if m.made.Ref != m.spec.Ref || m.made.State != runtime.Running || m.made.Image != origin.made.Image {
			t.Errorf("made %s\nof %s", show(m.made), show(origin.made))
		}
		if err := m.connect(ctx); err != nil {
			t.Fatal(err)
		}
		defer m.client.Close()
		if diff := cmp.Diff(want, m.listing(t, "kept")); diff != "" {
			t.Errorf("files of the fork (-want +got):\n%s", diff)
		}
		m.take(t, "own")
		m.probe(t, "spoil", "kept")
		m.restore(t, "own")
		if got := m.listing(t, "kept"); got != want {
			t.Errorf("the fork's own snapshot gave back\n%s", got)
		}
	}
}

// testSnapshotAtOnce: while a program is at work, a snapshot may need to copy.
func testSnapshotAtOnce(t *testing.T, s *suite) {
	snapshots := s.snapshots(t)
	instant := s.features.Snapshots == runtime.SnapshotInstant
	m := s.fresh(t, s.spec())
	m.probe(t, "write", "ballast", "16")
	m.say(t, "kept")
	_, err := snapshots.Snapshot(t.Context(), m.spec.Ref, "idle", true, nil)
	if instant != (err == nil) || err != nil && !errors.Is(err, runtime.ErrSlow) {
		t.Fatalf("at once, of an idle machine: %v, with the cost %q", err, s.features.Snapshots)
	}
	m.during(t, m.program("sleep", "1h"), func(ctx context.Context, id string) {
		m.say(t, "little")
		_, err := snapshots.Snapshot(ctx, m.spec.Ref, "little", true, nil)
		if instant != (err == nil) || err != nil && !errors.Is(err, runtime.ErrSlow) {
			t.Errorf("at once, while a program is at work and little was written: %v, with the cost %q", err, s.features.Snapshots)
		}
		m.probe(t, "write", "more", "16")
		if _, err := snapshots.Snapshot(ctx, m.spec.Ref, "much", true, nil); !errors.Is(err, runtime.ErrSlow) {
			t.Errorf("at once, while a program is at work and much was written: %v, want ErrSlow", err)
		}
		if err := m.client.Kill(ctx, id, agent.Cancelled); err != nil {
			t.Error(err)
		}
	})
	if left, err := snapshots.Snapshots(t.Context(), m.spec.Ref); err != nil || slices.Contains(left, "much") {
		t.Errorf("snapshots: %q, %v", left, err)
	}
	m.healthy(t)
	if instant {
		m.restore(t, "idle")
		m.expectSaid(t, "kept")
		m.restore(t, "little")
	}
	m.expectSaid(t, "little")
}

// testSnapshotUnchanged: a driver may not know that nothing has changed, but never
// takes a change for none.
func testSnapshotUnchanged(t *testing.T, s *suite) {
	snapshots := s.snapshots(t)
	m := s.fresh(t, s.spec())
	m.say(t, "kept")
	m.take(t, "first")
	unchanged := func(name string) bool {
		t.Helper()
		same, err := snapshots.Unchanged(t.Context(), m.spec.Ref, name)
		if err != nil {
			t.Fatal(err)
		}
		return same
	}
	if unchanged("absent") {
		t.Error("nothing has changed since a snapshot that was never taken")
	}
	if _, err := snapshots.Restore(t.Context(), m.spec.Ref, "first"); err != nil {
		t.Fatal(err)
	}
	if instant := s.features.Snapshots == runtime.SnapshotInstant; instant != unchanged("first") {
		t.Errorf("just restored, unchanged: %v, with the cost %q", !instant, s.features.Snapshots)
	}
	<-m.client.Done()
	if err := m.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.say(t, "new")
	if unchanged("first") {
		t.Error("a file was written, and nothing has changed")
	}
	m.take(t, "second")
	m.say(t, "newer")
	if unchanged("first") || unchanged("second") {
		t.Error("a file was written since the second snapshot, and nothing has changed")
	}
	m.restore(t, "first")
	m.expectSaid(t, "kept")
}

func testSnapshotAbsent(t *testing.T, s *suite) {
	snapshots := s.snapshots(t)
	ctx := t.Context()
	ref := s.spec().Ref
	for name, call := range map[string]func() error{
		"Snapshot":  func() error { _, err := snapshots.Snapshot(ctx, ref, "a", false, nil); return err },
		"Restore":   func() error { _, err := snapshots.Restore(ctx, ref, "a"); return err },
		"Snapshots": func() error { _, err := snapshots.Snapshots(ctx, ref); return err },
	} {
		if err := call(); !errors.Is(err, runtime.ErrNoMachine) {
			t.Errorf("%s without a machine: %v, want ErrNoMachine", name, err)
		}
	}
	if err := snapshots.DeleteSnapshot(ctx, ref, "a"); err != nil {
		t.Errorf("delete without a machine: %v", err)
	}
	m := s.shared(t)
	if _, err := snapshots.CreateFrom(ctx, s.spec(), m.spec.Ref, "absent", nil); !errors.Is(err, runtime.ErrNoSnapshot) {
		t.Errorf("create from no snapshot: %v, want ErrNoSnapshot", err)
	}
	if _, err := snapshots.Restore(ctx, m.spec.Ref, "absent"); !errors.Is(err, runtime.ErrNoSnapshot) {
		t.Errorf("restore no snapshot: %v, want ErrNoSnapshot", err)
	}
	if _, err := snapshots.Snapshot(ctx, m.spec.Ref, "../x", false, nil); !errors.Is(err, runtime.ErrInvalidSpec) {
		t.Errorf("a bad name: %v, want ErrInvalidSpec", err)
	}
	m.healthy(t)
}

// testSnapshotCancelled gives up at several moments: a snapshot is there as a
// whole or not at all, and a machine goes on.
func testSnapshotCancelled(t *testing.T, s *suite) {
	snapshots := s.snapshots(t)
	m := s.fresh(t, s.spec())
	m.say(t, "kept")
	m.probe(t, "write", "ballast", "32")
	for i, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		name := fmt.Sprintf("cancelled%d", i)
		_, err := snapshots.Snapshot(ctx, m.spec.Ref, name, false, nil)
		cancel()
		if err := snapshots.Mend(t.Context(), m.spec.Ref); err != nil {
			t.Fatalf("mend: %v", err)
		}
		m.healthy(t)
		left, listErr := snapshots.Snapshots(t.Context(), m.spec.Ref)
		if listErr != nil || err == nil && !slices.Contains(left, name) {
			t.Fatalf("after %s: %v; snapshots %q, %v", after, err, left, listErr)
		}
		if slices.Contains(left, name) {
			m.restore(t, name)
			m.expectSaid(t, "kept")
		}
	}
}

// testSnapshotCycles takes, uses, restores and deletes snapshots over and over.
func testSnapshotCycles(t *testing.T, s *suite) {
	snapshots := s.snapshots(t)
	const cycles = 12
	m := s.fresh(t, s.spec())
	var used int64
	for i := range cycles {
		m.say(t, fmt.Sprint(i))
		m.probe(t, "write", "ballast", "4")
		name := fmt.Sprintf("cycle%d", i)
		m.take(t, name)
		m.say(t, "lost")
		m.restore(t, name)
		m.expectSaid(t, fmt.Sprint(i))
		if i > 2 {
			if err := snapshots.DeleteSnapshot(t.Context(), m.spec.Ref, fmt.Sprintf("cycle%d", i-3)); err != nil {
				t.Fatal(err)
			}
		}
		now, err := s.driver.DiskUsage(t.Context(), m.spec.Ref)
		if err != nil {
			t.Fatal(err)
		}
		if i == cycles/2 {
			used = now
		}
		if i == cycles-1 && now > used+16<<20 {
			t.Errorf("the machine's use of the disk has grown from %d to %d bytes in %d cycles", used, now, cycles/2)
		}
	}
}

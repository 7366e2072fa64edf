package pool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/pool"
)

func (r *rig) snapshot(t *testing.T, vm db.VirtualMachine, name string) db.Snapshot {
	t.Helper()
	s, err := r.Snapshot(t.Context(), vm, name, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r *rig) snapshots(t *testing.T, vm db.VirtualMachine) []db.Snapshot {
	t.Helper()
	list, err := r.Snapshots(t.Context(), vm.ID)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// has reports whether a VM has a file.
func (r *rig) has(t *testing.T, vm db.VirtualMachine, file string) bool {
	t.Helper()
	no := false
	e, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte("show " + file), Checkpoint: &no}, pool.Observer{})
	if err != nil {
		t.Fatal(err)
	}
	return e.ExitCode == 0
}

func TestRestoreEndsWhatRunsWithItsOutput(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	s := r.snapshot(t, vm, "empty")
	observer, ids := started()
	printed := make(chan struct{})
	var once sync.Once
	observer.Output = func(agent.Stream, []byte) { once.Do(func() { close(printed) }) }
	ended := make(chan db.Execution)
	go func() {
		e, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte("print so far\nsleep 1h")}, observer)
		if err != nil {
			t.Error(err)
		}
		ended <- e
	}()
	<-ids
	<-printed
	restored, err := r.Restore(t.Context(), vm, s)
	if err != nil || restored.Status != db.Running || restored.Snapshot != s.ID {
		t.Fatalf("restored: %+v, %v", restored, err)
	}
	if e := <-ended; e.Verdict != "vmStopped" || string(e.Output) != "so far\n" {
		t.Errorf("what ran ended as %s with %q, want vmStopped with what it printed", e.Verdict, e.Output)
	}
}

func TestUndoGoesBackOneExecutionAfterTheOther(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	for i := range 3 {
		r.run(t, vm, fmt.Sprintf("write file%d 1", i))
	}
	for left := 2; left >= 0; left-- {
		var err error
		if vm, err = r.Undo(t.Context(), vm); err != nil {
			t.Fatal(err)
		}
		client, err := r.driver.Snapshots(t.Context(), runtime.Ref{Instance: r.store.Instance(), VM: vm.ID})
		if err != nil || len(client) != 3 {
			t.Errorf("snapshots: %q, %v", client, err)
		}
	}
	if _, err := r.Undo(t.Context(), vm); !errors.Is(err, pool.ErrState) {
		t.Errorf("undo with nothing left: %v, want ErrState", err)
	}
	if r.has(t, vm, "file0") {
		t.Error("the first execution's file is still there")
	}
	if _, err := r.Undo(t.Context(), vm); !errors.Is(err, pool.ErrState) {
		t.Errorf("undo of an execution without a checkpoint: %v, want ErrState", err)
	}
}

func TestTheLastTwentyCheckpointsAreKept(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	kept := r.snapshot(t, vm, "by-hand")
	for range 23 {
		r.run(t, vm, "print x")
	}
	list := r.snapshots(t, vm)
	if len(list) != 21 || list[0].ID != kept.ID || list[1].Name != "auto-5" || list[1].Parent != kept.ID {
		t.Errorf("%d snapshots, the first two %+v", len(list), list[:2])
	}
	names, err := r.driver.Snapshots(t.Context(), runtime.Ref{Instance: r.store.Instance(), VM: vm.ID})
	if err != nil || len(names) != 21 {
		t.Errorf("the driver has %d snapshots, %v", len(names), err)
	}
}

// TestExecutionsOutwaitSnapshots runs code while snapshots are taken: a VM goes
// on, so nobody hears of them.
func TestExecutionsOutwaitSnapshots(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 5 {
				if e, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte("print x")}, pool.Observer{}); err != nil || e.ExitCode != 0 {
					t.Errorf("%+v, %v", e, err)
				}
			}
		})
	}
	work.Wait()
}

func TestNoCheckpointWhereNoneIsWanted(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	no := false
	if _, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte("print x"), Checkpoint: &no}, pool.Observer{}); err != nil {
		t.Fatal(err)
	}
	scratch, err := r.Scratch(t.Context(), fake.LanguageID, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.run(t, scratch, "print x")
	if list := r.snapshots(t, db.VirtualMachine{}); len(list) != 0 {
		t.Errorf("checkpoints were taken: %+v", list)
	}
}

// TestRecoverEndsAnAbandonedSnapshot plays a process that died after the driver
// took a snapshot and before there was a row of it.
func TestRecoverEndsAnAbandonedSnapshot(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	kept := r.snapshot(t, vm, "kept")
	ref := runtime.Ref{Instance: r.store.Instance(), VM: vm.ID}
	if _, err := r.driver.Snapshot(t.Context(), ref, "unrecorded", false, nil); err != nil {
		t.Fatal(err)
	}
	_, err := r.store.UpdateVM(t.Context(), vm.ID, nil, func(vm *db.VirtualMachine) error {
		vm.Status, vm.Owner, vm.OwnedUntil = db.Snapshotting, "elsewhere@boot/1/2", time.Now().Add(-time.Second)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.pool.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	names, err := r.driver.Snapshots(t.Context(), ref)
	if err != nil || len(names) != 1 || names[0] != kept.Reference {
		t.Errorf("snapshots %q, %v; want only the recorded one", names, err)
	}
	if vm, err := r.Get(t.Context(), vm.ID, ""); err != nil || vm.Status != db.Running {
		t.Errorf("the VM is %s, %v; want running", vm.Status, err)
	}
	r.run(t, vm, "print x")
}

func TestForkIsLikeItsOrigin(t *testing.T) {
	r := newRig(t)
	pids := 77
	origin, err := r.Create(t.Context(), pool.CreateRequest{Name: "one", Language: fake.LanguageID, Pids: &pids, Env: map[string]string{"A": "b"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.run(t, origin, "write kept 1")
	s := r.snapshot(t, origin, "s")
	cpu := 0.5
	fork, err := r.Create(t.Context(), pool.CreateRequest{Name: "two", CPU: &cpu, From: &pool.Origin{VM: origin, Snapshot: s}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if fork.PidsLimit != 77 || fork.CPULimit != 0.5 || fork.Language != origin.Language || fork.Env["A"] != "b" || fork.Runtime != "fake" {
		t.Errorf("got %+v", fork)
	}
	if err := r.Delete(t.Context(), origin); err != nil {
		t.Fatal(err)
	}
	if !r.has(t, fork, "kept") {
		t.Error("the fork lacks its origin's file")
	}
	if list := r.snapshots(t, db.VirtualMachine{}); len(list) != 0 {
		t.Errorf("the origin's snapshots have outlived it: %+v", list)
	}
}

func TestAFailedDriverLeavesNoRow(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	if err := r.driver.Destroy(t.Context(), runtime.Ref{Instance: r.store.Instance(), VM: vm.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Snapshot(t.Context(), vm, "s", "", nil); !errors.Is(err, pool.ErrState) {
		t.Errorf("snapshot of a machine that is gone: %v, want ErrState", err)
	}
	if list := r.snapshots(t, vm); len(list) != 0 {
		t.Errorf("rows: %+v", list)
	}
	if vm, err := r.Get(t.Context(), vm.ID, ""); err != nil || vm.Status != db.Failed {
		t.Errorf("the VM is %s, %v; want error", vm.Status, err)
	}
}

// runNow runs code in a VM as its row is now, like a request does, and returns the
// execution as it is recorded.
func (r *rig) runNow(t *testing.T, vm db.VirtualMachine, code string) db.Execution {
	t.Helper()
	vm, err := r.Get(t.Context(), vm.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	return r.run(t, vm, code)
}

// TestACheckpointStandsUntilSomethingChanges: executions that write nothing share
// the checkpoint of the one before, and each can be undone all the same.
func TestACheckpointStandsUntilSomethingChanges(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	var checkpoints []int64
	for _, code := range []string{"write file 1", "print x", "print x", "write other 1", "print x"} {
		checkpoints = append(checkpoints, r.runNow(t, vm, code).Checkpoint)
	}
	if c := checkpoints; c[0] == 0 || c[1] == c[0] || c[2] != c[1] || c[3] != c[1] || c[4] == c[1] {
		t.Errorf("checkpoints before the executions: %d", c)
	}
	if list := r.snapshots(t, vm); len(list) != 3 {
		t.Errorf("%d checkpoints were taken, want 3", len(list))
	}
	for i, want := range []struct{ file, other bool }{{true, true}, {true, false}, {true, false}, {true, false}, {false, false}} {
		var err error
		if vm, err = r.Undo(t.Context(), vm); err != nil {
			t.Fatal(err)
		}
		_, _, fileErr := r.ReadFile(t.Context(), vm, "file")
		_, _, otherErr := r.ReadFile(t.Context(), vm, "other")
		if (fileErr == nil) != want.file || (otherErr == nil) != want.other {
			t.Errorf("after %d times undo: file %v, other %v; want %v", i+1, fileErr, otherErr, want)
		}
	}
}

// TestACheckpointInUseIsKept restores the oldest of all checkpoints: it is what the
// next execution is undone by, however many were taken after it.
func TestACheckpointInUseIsKept(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	for i := range 20 {
		r.runNow(t, vm, fmt.Sprintf("write file%d 1", i))
	}
	oldest := r.snapshots(t, vm)[0]
	if _, err := r.Restore(t.Context(), vm, oldest); err != nil {
		t.Fatal(err)
	}
	if e := r.runNow(t, vm, "write first 1"); e.Checkpoint != oldest.ID {
		t.Errorf("the checkpoint is %d, want %d, which was restored", e.Checkpoint, oldest.ID)
	}
	r.runNow(t, vm, "write second 1")
	if list := r.snapshots(t, vm); len(list) != 20 || list[0].ID != oldest.ID {
		t.Errorf("%d checkpoints, the oldest %+v", len(list), list[0])
	}
	for range 2 {
		if _, err := r.Undo(t.Context(), vm); err != nil {
			t.Fatal(err)
		}
	}
	if r.has(t, vm, "first") {
		t.Error("the first execution after the restoration was not undone")
	}
}

// TestUndoSaysWhyThereIsNoCheckpoint runs code while another execution does.
func TestUndoSaysWhyThereIsNoCheckpoint(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	observer, ids := started()
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		if _, err := r.Execute(ctx, vm, pool.RunRequest{Code: []byte("sleep 1h")}, observer); err != nil {
			t.Error(err)
		}
	}()
	<-ids
	r.run(t, vm, "write file 1")
	e := r.run(t, vm, "print x")
	if e.Checkpoint != 0 || e.CheckpointNote != "another execution was running in the VM" {
		t.Errorf("checkpoint %d, note %q", e.Checkpoint, e.CheckpointNote)
	}
	cancel()
	<-ended
	recorded, err := r.Execution(t.Context(), e.ID)
	if err != nil || recorded.CheckpointNote != e.CheckpointNote {
		t.Errorf("recorded is the note %q, %v", recorded.CheckpointNote, err)
	}
	if _, err := r.Undo(t.Context(), vm); !errors.Is(err, pool.ErrState) || !strings.Contains(err.Error(), e.CheckpointNote) {
		t.Errorf("undo says %v, want the reason", err)
	}
}

// TestALateSnapshotOfADeadProcessGoes plays an engine that ends what a dead process
// had asked it for when that one's VM has been put in order already.
func TestALateSnapshotOfADeadProcessGoes(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	ref := runtime.Ref{Instance: r.store.Instance(), VM: vm.ID}
	if _, err := r.driver.Snapshot(t.Context(), ref, "late", false, nil); err != nil {
		t.Fatal(err)
	}
	s := r.snapshot(t, vm, "next")
	names, err := r.driver.Snapshots(t.Context(), ref)
	if err != nil || len(names) != 1 || names[0] != s.Reference {
		t.Errorf("snapshots %q, %v; want only the recorded one", names, err)
	}
}

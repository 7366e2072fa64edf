package db_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/db"
)

func addSnapshot(t *testing.T, s db.Store, row db.Snapshot) db.Snapshot {
	t.Helper()
	if err := s.AddSnapshot(t.Context(), &row); err != nil {
		t.Fatal(err)
	}
	return row
}

func testSnapshot(t *testing.T, url string) {
	s := open(t, url)
	vm := reserve(t, s, "a")
	row := addSnapshot(t, s, db.Snapshot{
		VMID: vm.ID, Name: `before "it"`, Comment: "a\x00b", Kind: "manual", Parent: 99, Reference: "r1", SizeBytes: 1 << 40,
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC),
	})
	want := db.Snapshot{
		ID: row.ID, VMID: vm.ID, Name: `before "it"`, Comment: "a\uFFFDb", Kind: "manual", Reference: "r1", SizeBytes: 1 << 40,
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC),
	}
	got, err := s.Snapshot(t.Context(), row.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if from := getVM(t, s, vm.ID).Snapshot; from != row.ID {
		t.Errorf("the VM's files come from %d, want %d", from, row.ID)
	}
	wantError(t, s.AddSnapshot(t.Context(), &db.Snapshot{VMID: vm.ID, Name: row.Name}), db.ErrExists)
	wantError(t, s.AddSnapshot(t.Context(), &db.Snapshot{VMID: vm.ID + 1}), db.ErrNotFound)
	_, err = s.Snapshot(t.Context(), row.ID+9)
	wantError(t, err, db.ErrNotFound)
	unnamed := addSnapshot(t, s, db.Snapshot{VMID: vm.ID, Kind: "auto"})
	if read, err := s.Snapshot(t.Context(), unnamed.ID); err != nil || !read.CreatedAt.Equal(unnamed.CreatedAt) {
		t.Errorf("made at %v, read as %v, %v", unnamed.CreatedAt, read.CreatedAt, err)
	}
	if want := fmt.Sprintf("auto-%d", unnamed.ID); unnamed.Name != want || unnamed.Parent != row.ID {
		t.Errorf("got name %q and parent %d, want %q and %d", unnamed.Name, unnamed.Parent, want, row.ID)
	}
}

// testSnapshotChain deletes in the middle and at the end of a chain.
func testSnapshotChain(t *testing.T, url string) {
	s := open(t, url)
	vm, other := reserve(t, s, "a"), reserve(t, s, "b")
	var ids []int64
	for _, name := range []string{"one", "two", "three"} {
		ids = append(ids, addSnapshot(t, s, db.Snapshot{VMID: vm.ID, Name: name}).ID)
	}
	addSnapshot(t, s, db.Snapshot{VMID: other.ID, Name: "one"})
	if err := s.DeleteSnapshot(t.Context(), ids[1]); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.DeleteSnapshot(t.Context(), ids[1]), db.ErrNotFound)
	left, err := s.Snapshots(t.Context(), vm.UserID, vm.ID)
	if err != nil || len(left) != 2 || left[0].Name != "one" || left[1].Parent != ids[0] {
		t.Errorf("left %+v, %v", left, err)
	}
	if err := s.DeleteSnapshot(t.Context(), ids[2]); err != nil {
		t.Fatal(err)
	}
	if from := getVM(t, s, vm.ID).Snapshot; from != ids[0] {
		t.Errorf("the VM's files come from %d, want %d", from, ids[0])
	}
	all, err := s.Snapshots(t.Context(), vm.UserID, 0)
	if err != nil || len(all) != 2 {
		t.Errorf("of all VMs: %+v, %v", all, err)
	}
	none, err := s.Snapshots(t.Context(), vm.UserID+1, 0)
	if err != nil || len(none) != 0 {
		t.Errorf("of another user: %+v, %v", none, err)
	}
}

func testUndone(t *testing.T, url string) {
	s := open(t, url)
	vm, other := reserve(t, s, "a"), reserve(t, s, "b")
	var ids []int64
	for _, id := range []int64{vm.ID, vm.ID, other.ID, vm.ID} {
		e := db.Execution{VMID: id, Checkpoint: 7}
		if err := s.BeginExecution(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	if err := s.MarkUndone(t.Context(), vm.ID, ids[1]); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, false, true} {
		e, err := s.Execution(t.Context(), ids[i])
		if err != nil || e.Undone != want || e.Checkpoint != 7 {
			t.Errorf("execution %d: undone %v, checkpoint %d, %v; want undone %v, checkpoint 7", i, e.Undone, e.Checkpoint, err, want)
		}
	}
}

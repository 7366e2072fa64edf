package pool_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/pool"
)

// told is a diff in words.
func (r *rig) told(t *testing.T, vm db.VirtualMachine, from, to *db.Snapshot) string {
	t.Helper()
	d, err := r.Diff(t.Context(), vm, from, to)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, f := range d.Files {
		text += fmt.Sprintf("%s %s;", f.Change, f.Path)
	}
	return text
}

// TestDiffTellsWhatUndoTakesBack goes back one execution after the other.
func TestDiffTellsWhatUndoTakesBack(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	if _, err := r.Diff(t.Context(), vm, nil, nil); !errors.Is(err, pool.ErrState) {
		t.Errorf("diff without a checkpoint: %v, want ErrState", err)
	}
	r.run(t, vm, "write first 1")
	r.run(t, vm, "write second 1")
	if got, want := r.told(t, vm, nil, nil), "created /home/vm/second;"; got != want {
		t.Errorf("after two executions %q, want %q", got, want)
	}
	vm, err := r.Undo(t.Context(), vm)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.told(t, vm, nil, nil), "created /home/vm/first;"; got != want {
		t.Errorf("one undone: %q, want %q", got, want)
	}
}

// TestDiffBeginsWithASnapshotMadeByHand: nothing was written since, so the
// execution has no checkpoint of its own.
func TestDiffBeginsWithASnapshotMadeByHand(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	r.run(t, vm, "write first 1")
	r.snapshot(t, vm, "by-hand")
	r.run(t, vm, "write second 1")
	if got, want := r.told(t, vm, nil, nil), "created /home/vm/second;"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDiffOfASpan(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	no := false
	write := func(code string) {
		t.Helper()
		if _, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte(code), Checkpoint: &no}, pool.Observer{}); err != nil {
			t.Fatal(err)
		}
	}
	one := r.snapshot(t, vm, "one")
	write("write a 1")
	two := r.snapshot(t, vm, "two")
	write("write b 1")
	three := r.snapshot(t, vm, "three")
	write("write c 1")
	a, b, c := "created /home/vm/a;", "created /home/vm/b;", "created /home/vm/c;"
	for _, test := range []struct {
		from, to *db.Snapshot
		want     string
	}{
		{&one, &two, a}, {&one, &three, a + b}, {&one, nil, a + b + c}, {nil, &three, b},
		{&three, &two, "deleted /home/vm/b;"}, {&two, &two, ""},
	} {
		if got := r.told(t, vm, test.from, test.to); got != test.want {
			t.Errorf("%+v to %+v: %q, want %q", test.from, test.to, got, test.want)
		}
	}
	if _, err := r.Diff(t.Context(), vm, nil, &one); !errors.Is(err, pool.ErrInvalid) {
		t.Errorf("to the first snapshot, from none: %v, want ErrInvalid", err)
	}
	vm, err := r.Stop(t.Context(), vm, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.told(t, vm, &one, &two); got != a {
		t.Errorf("of a stopped VM: %q", got)
	}
	if vm, err = r.Get(t.Context(), vm.ID, ""); err != nil || vm.Status != db.Stopped {
		t.Errorf("it is %s afterwards, %v", vm.Status, err)
	}
}

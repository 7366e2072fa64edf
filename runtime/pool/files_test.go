package pool_test

import (
	"errors"
	"testing"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/pool"
)

// A file's use is the VM's use: it is not stopped as idle.
func TestFilesKeepAVMInUse(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	vm, err := r.store.UpdateVM(t.Context(), vm.ID, []db.Status{db.Running}, func(vm *db.VirtualMachine) error {
		vm.IdleTimeout, vm.LastUsedAt = 60, vm.LastUsedAt.Add(-time.Hour)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.WriteFile(t.Context(), vm, "a file", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if err := r.pool.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if vm, err = r.store.VM(t.Context(), vm.ID); err != nil || vm.Status != db.Running {
		t.Errorf("the VM is %s, %v", vm.Status, err)
	}
}

func TestFileFailuresHaveKinds(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	r.run(t, vm, "write /home/vm/folder/big 17")
	r.run(t, vm, "write /home/vm/most 1000") // of the 1024 MiB that it has
	for name, test := range map[string]struct {
		err  func() error
		kind error
	}{
		"absent":   {func() error { _, _, err := r.ReadFile(t.Context(), vm, "none"); return err }, pool.ErrNotFound},
		"large":    {func() error { _, _, err := r.ReadFile(t.Context(), vm, "folder/big"); return err }, pool.ErrInvalid},
		"folder":   {func() error { return r.WriteFile(t.Context(), vm, "folder", nil, 0) }, pool.ErrInvalid},
		"full":     {func() error { return r.WriteFile(t.Context(), vm, "x", make([]byte, 32<<20), 0) }, pool.ErrState},
		"not all":  {func() error { return r.DeleteFile(t.Context(), vm, "folder", false) }, pool.ErrInvalid},
		"no path":  {func() error { return r.DeleteFile(t.Context(), vm, "", true) }, pool.ErrInvalid},
		"NUL byte": {func() error { _, err := r.ListFiles(t.Context(), vm, "\x00"); return err }, pool.ErrInvalid},
	} {
		var failure *pool.Error
		if err := test.err(); !errors.As(err, &failure) || !errors.Is(err, test.kind) {
			t.Errorf("%s: %v, want %v", name, err, test.kind)
		}
	}
}

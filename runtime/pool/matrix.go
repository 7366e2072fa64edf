package pool

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// Matrix runs code in one new VM for each language, and removes every VM when
// its run has ended, however it ended. It fails, before anything is made, when
// the VMs that it needs at once do not fit the quota. Items come in the order of
// the languages; each item's VM is gone by then. When ctx ends with ErrLeave,
// what runs goes on, and its VM is removed as scratch VMs are.
func (t *Tenant) Matrix(ctx context.Context, languages []string, r RunRequest, o BatchOptions, progress runtime.Progress) ([]BatchItem, error) {
	if err := r.validate(t.defaults); err != nil {
		return nil, err
	}
	if r.Language != "" {
		return nil, invalid("language", "the matrix says what language each VM has; the code cannot have another")
	}
	cells, err := t.cells(languages)
	if err != nil {
		return nil, err
	}
	if err := t.room(ctx, min(len(cells), t.parallel(o))); err != nil {
		return nil, err
	}
	return t.sideBySide(ctx, cells, o, func(ctx context.Context, cell db.VirtualMachine) BatchItem {
		return t.runCell(ctx, cell, r, o, progress)
	}), nil
}

// cells are the rows of a matrix's VMs, as far as they are known beforehand.
func (t *Tenant) cells(languages []string) ([]db.VirtualMachine, error) {
	var cells []db.VirtualMachine
	for _, name := range languages {
		l, version, err := t.languages.Find(name)
		if err != nil {
			return nil, &Error{Kind: ErrInvalid, Field: "matrix", Message: runtime.Plain(err), Hint: runtime.Hint(err), Cause: err}
		}
		language := spell(l, version)
		if slices.ContainsFunc(cells, func(c db.VirtualMachine) bool { return c.Language == language }) {
			return nil, invalid("matrix", "the matrix names %s twice", language)
		}
		cells = append(cells, db.VirtualMachine{Name: cellName(language), Language: language})
	}
	return cells, nil
}

// cellName is a name for a language's VM that another matrix does not use.
func cellName(language string) string {
	return plainName(language) + "-" + strings.ToLower(rand.Text()[:5])
}

// room fails when so many more VMs do not fit the quotas. Others may take them
// meanwhile: the reservation of each VM has the last word.
func (t *Tenant) room(ctx context.Context, needed int) error {
	use, err := t.Use(ctx)
	if err != nil {
		return err
	}
	left := max(0, min(use.UserLimit-use.User, use.TotalLimit-use.Total))
	if needed <= left {
		return nil
	}
	return &Error{Kind: ErrQuota, Field: "matrix",
		Message: fmt.Sprintf("the matrix needs %d VMs at once, and the quota leaves room for %d", needed, left),
		Hint:    "vm delete what you no longer need, or run it in fewer at once: --parallel, maxParallel"}
}

// runCell makes one VM of a matrix, runs the code in it and removes it.
func (t *Tenant) runCell(ctx context.Context, cell db.VirtualMachine, r RunRequest, o BatchOptions, progress runtime.Progress) BatchItem {
	idle := t.defaults.ScratchIdle.Seconds()
	vm, err := t.Create(ctx, CreateRequest{Name: cell.Name, Language: cell.Language, IdleTimeout: &idle, scratch: true},
		func(message string, _ float64) { progress.Report(cell.Language+": "+message, -1) })
	if err != nil {
		return BatchItem{VM: cell, Err: err}
	}
	item := t.runItem(ctx, vm, r, o)
	if item.Err == nil && item.Execution.Verdict == string(agent.Running) {
		return item // the caller has left it running
	}
	t.discard(ctx, vm)
	return item
}

// discard removes a VM that has served its purpose. Where that fails, a sweep
// removes it later: it is a scratch VM.
func (t *Tenant) discard(ctx context.Context, vm db.VirtualMachine) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := t.Delete(ctx, vm); err != nil {
		t.log.Warn("cannot remove a VM of a matrix yet", "vm", vm.Name, "error", err)
	}
}

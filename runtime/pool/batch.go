package pool

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/itechsmart/vm/db"
)

// BatchItem is one VM's part of a batch: how the code ended there, or why it
// could not be run.
type BatchItem struct {
	VM        db.VirtualMachine
	Execution db.Execution
	Err       error
}

// BatchGroup holds the VMs whose output and exit code are the same.
type BatchGroup struct {
	VMs      []int64
	Output   []byte
	ExitCode int
}

// Batch runs code in several VMs, at most parallel of them at once (0 = the
// default). A failure in one leaves the others alone; when ctx ends, all are
// cancelled. The observer of each VM is made by observe, which may be nil. Items
// come in the order of vms.
func (t *Tenant) Batch(ctx context.Context, vms []db.VirtualMachine, r RunRequest, parallel int, observe func(db.VirtualMachine) Observer) []BatchItem {
	if parallel <= 0 {
		parallel = t.defaults.RunsInABatch
	}
	items := make([]BatchItem, len(vms))
	slots := make(chan struct{}, parallel)
	var running sync.WaitGroup
	for i, vm := range vms {
		running.Go(func() {
			items[i].VM = vm
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				items[i].Err = ctx.Err()
				return
			}
			var o Observer
			if observe != nil {
				o = observe(vm)
			}
			items[i].Execution, items[i].Err = t.Execute(ctx, vm, r, o)
		})
	}
	running.Wait()
	return items
}

// Running selects the VMs that a batch without a choice runs in: the user's
// running ones that were made by hand.
func (t *Tenant) Running(ctx context.Context) ([]db.VirtualMachine, error) {
	byHand := false
	vms, err := t.List(ctx, db.VMFilter{Status: []db.Status{db.Running}, Scratch: &byHand}, false)
	if err == nil && len(vms) == 0 {
		err = &Error{Kind: ErrState, Message: "you have no running VM to run this in", Hint: "vm create <name> <language>, or vm start <name>"}
	}
	return vms, err
}

// Groups sorts what ended by itself into groups of identical output and exit
// code, the largest first.
func Groups(items []BatchItem) []BatchGroup {
	var groups []BatchGroup
	for _, item := range items {
		if item.Err != nil {
			continue
		}
		e := item.Execution
		i := slices.IndexFunc(groups, func(g BatchGroup) bool {
			return g.ExitCode == e.ExitCode && string(g.Output) == string(e.Output)
		})
		if i < 0 {
			groups = append(groups, BatchGroup{Output: e.Output, ExitCode: e.ExitCode})
			i = len(groups) - 1
		}
		groups[i].VMs = append(groups[i].VMs, item.VM.ID)
	}
	slices.SortStableFunc(groups, func(a, b BatchGroup) int { return cmp.Compare(len(b.VMs), len(a.VMs)) })
	return groups
}

// Cancelled reports whether a batch was cut short.
func Cancelled(items []BatchItem) bool {
	return slices.ContainsFunc(items, func(i BatchItem) bool { return errors.Is(i.Err, context.Canceled) })
}

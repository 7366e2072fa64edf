package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
)

// BatchItem is one VM's part of a batch: how the code ended there, or why it
// could not be run.
type BatchItem struct {
	VM        db.VirtualMachine
	Execution db.Execution
	Err       error
}

// BatchOptions say how a batch goes about its VMs.
type BatchOptions struct {
	Parallel int  // at most so many VMs at once; 0 = the default
	FailFast bool // the first failure cancels what runs in the others, and starts no more
	// Observe makes the observer of each VM; it may be nil.
	Observe func(db.VirtualMachine) Observer
}

// Batch runs code in several VMs side by side. Without FailFast, a failure in
// one leaves the others alone; when ctx ends, all are cancelled. Items come in
// the order of vms.
func (t *Tenant) Batch(ctx context.Context, vms []db.VirtualMachine, r RunRequest, o BatchOptions) []BatchItem {
	return t.sideBySide(ctx, vms, o, func(ctx context.Context, vm db.VirtualMachine) BatchItem {
		return t.runItem(ctx, vm, r, o)
	})
}

// runItem runs code in one VM of a batch.
func (t *Tenant) runItem(ctx context.Context, vm db.VirtualMachine, r RunRequest, o BatchOptions) BatchItem {
	var observer Observer
	if o.Observe != nil {
		observer = o.Observe(vm)
	}
	e, err := t.Execute(ctx, vm, r, observer)
	return BatchItem{VM: vm, Execution: e, Err: err}
}

// sideBySide does something for each VM, beginning with the first, for as many
// at once as the options allow, and returns the outcomes in order. What the end
// of ctx or a first failure keeps from beginning is not done at all.
func (t *Tenant) sideBySide(ctx context.Context, vms []db.VirtualMachine, o BatchOptions,
	do func(context.Context, db.VirtualMachine) BatchItem,
) []BatchItem {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	items := make([]BatchItem, len(vms))
	slots := make(chan struct{}, min(t.parallel(o), max(len(vms), 1)))
	var running sync.WaitGroup
	for i, vm := range vms {
		slots <- struct{}{}
		if ctx.Err() != nil {
			<-slots
			items[i] = BatchItem{VM: vm, Err: ctx.Err()}
			continue
		}
		running.Go(func() {
			defer func() { <-slots }()
			items[i] = do(ctx, vm)
			if o.FailFast && items[i].failed() {
				cancel(failedFirst{vm.Name})
			}
		})
	}
	running.Wait()
	for i := range items {
		items[i].explain(context.Cause(ctx))
	}
	return items
}

// parallel is how many VMs a batch uses at once.
func (t *Tenant) parallel(o BatchOptions) int {
	if o.Parallel > 0 {
		return o.Parallel
	}
	return t.defaults.RunsInABatch
}

// failed reports whether the code did not do in this VM what it is there for.
func (i BatchItem) failed() bool {
	return i.Err != nil || i.Execution.Verdict != string(agent.Exited) || i.Execution.ExitCode != 0
}

// failedFirst is the cause with which a failure ends the rest of a batch.
type failedFirst struct{ vm string }

func (f failedFirst) Error() string { return "it failed in VM " + f.vm }

// Is makes errors.Is(err, context.Canceled) true.
func (f failedFirst) Is(target error) bool { return target == context.Canceled }

// explain says why code was not run at all, where a failure in another VM is the
// reason. To the caller nothing is cancelled then: his request goes on.
func (i *BatchItem) explain(cause error) {
	var first failedFirst
	if errors.Is(i.Err, context.Canceled) && errors.As(cause, &first) {
		i.Execution.Verdict = string(agent.Cancelled)
		i.Err = &Error{Kind: ErrState, Message: fmt.Sprintf("not run, because it failed in VM %s before", first.vm),
			Hint: "without failFast it is run in every VM"}
	}
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

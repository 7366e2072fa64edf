package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
)

// CheckpointPolicy says which executions get a checkpoint that do not say: a
// snapshot right before, for Undo.
type CheckpointPolicy string

// Policies.
const (
	CheckpointAuto   CheckpointPolicy = "auto"   // where it costs milliseconds, of VMs made by hand
	CheckpointAlways CheckpointPolicy = "always" // whatever it costs
	CheckpointNever  CheckpointPolicy = "never"
)

// checkpointsKept is how many checkpoints a VM has; older ones go.
const checkpointsKept = 20

// checkpoint takes a snapshot before an execution, when that is wanted, and
// returns its id; 0 when there is none. Only one that was asked for can fail.
// A note says why there is none where the policy is to have one.
func (t *Tenant) checkpoint(ctx context.Context, vm db.VirtualMachine, asked *bool) (id int64, note string, err error) {
	wanted := t.defaults.Checkpoint == CheckpointAlways
	if asked != nil {
		wanted = *asked
	}
	switch {
	case wanted:
		id, err = t.takeCheckpoint(ctx, vm, false)
		return id, "", err
	case asked != nil, t.defaults.Checkpoint != CheckpointAuto, vm.Scratch:
		return 0, "", nil
	}
	if t.snapshotCost(ctx, vm) != runtime.SnapshotInstant {
		return 0, "", nil
	}
	if s := t.standing(ctx, vm); s != 0 {
		return s, "", nil
	}
	if !t.idle(ctx, vm) {
		return 0, "another execution was running in the VM", nil
	}
	id, err = t.takeCheckpoint(ctx, vm, true)
	switch {
	case err == nil:
		return id, "", nil
	case errors.Is(err, runtime.ErrSlow):
		note = "programs held files of the VM open, of a session or a terminal perhaps, and more had been written than is copied in no time"
	case errors.Is(err, ErrBusy):
		note = "another operation held the VM"
	default:
		t.log.Warn("an execution goes without a checkpoint", "vm", vm.Name, "error", err)
		note = "it failed: " + runtime.Plain(err)
	}
	return 0, note, nil
}

// standing returns the snapshot that a VM's files have not changed since; 0 = there
// is none. It does for a checkpoint, whatever it was taken for.
func (p *Pool) standing(ctx context.Context, vm db.VirtualMachine) int64 {
	if vm.Snapshot == 0 {
		return 0
	}
	driver, err := p.driver(vm.Runtime)
	snapshotter, is := driver.(runtime.Snapshotter)
	if err != nil || !is {
		return 0
	}
	s, err := p.store.Snapshot(ctx, vm.Snapshot)
	if err != nil {
		return 0
	}
	unchanged, err := snapshotter.Unchanged(ctx, p.ref(vm), s.Reference)
	if err != nil {
		p.log.Warn("cannot find out whether a VM has changed", "vm", vm.Name, "error", err)
	}
	if err != nil || !unchanged {
		return 0
	}
	return s.ID
}

// snapshotCost is what a VM's snapshots cost; empty = it has none. Each driver is
// asked once: it stays the same while a process lives, and the question is a
// round trip to an engine, which executions need not wait for.
func (p *Pool) snapshotCost(ctx context.Context, vm db.VirtualMachine) runtime.SnapshotCost {
	if cost, known := p.snapshotCosts.Load(vm.Runtime); known {
		return cost.(runtime.SnapshotCost)
	}
	_, cost, err := p.snapshots(ctx, vm)
	if err == nil {
		p.snapshotCosts.Store(vm.Runtime, cost)
	}
	return cost
}

func (t *Tenant) takeCheckpoint(ctx context.Context, vm db.VirtualMachine, atOnce bool) (int64, error) {
	s := db.Snapshot{VMID: vm.ID, Kind: snapshotAuto}
	err := t.takeSnapshot(ctx, vm, &s, atOnce, nil)
	if err != nil {
		return 0, err
	}
	return s.ID, nil
}

// pruneCheckpoints removes a VM's oldest checkpoints, so that those stay that
// are kept: the last ones, and the one that the newest followed, which was perhaps
// restored long after it was taken. The VM must be held.
func (p *Pool) pruneCheckpoints(ctx context.Context, vm db.VirtualMachine, driver runtime.Snapshotter, newest db.Snapshot) error {
	rows, err := p.store.Snapshots(ctx, vm.UserID, vm.ID)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(s db.Snapshot) bool { return s.Kind != snapshotAuto })
	excess := len(rows) - checkpointsKept
	for _, s := range rows {
		switch {
		case excess <= 0:
			return nil
		case s.ID == newest.Parent:
			continue
		}
		if err := p.drop(ctx, vm, driver, s); err != nil {
			return err
		}
		excess--
	}
	return nil
}

// Undo gives a VM the files that it had before its last execution that is not
// undone yet.
func (t *Tenant) Undo(ctx context.Context, vm db.VirtualMachine) (db.VirtualMachine, error) {
	e, err := t.lastDone(ctx, vm)
	if err != nil {
		return vm, err
	}
	s, err := t.store.Snapshot(ctx, e.Checkpoint)
	switch {
	case e.Checkpoint == 0:
		message := fmt.Sprintf("no checkpoint was taken before execution %d, the last one in VM %s", e.ID, vm.Name)
		if e.CheckpointNote != "" {
			message += ": " + e.CheckpointNote
		}
		return vm, &Error{Kind: ErrState, Message: message,
			Hint: "vm snapshots " + vm.Name + " lists what it can be put back to; vm execute --checkpoint takes one first"}
	case isNotFound(err):
		return vm, &Error{Kind: ErrState, Message: fmt.Sprintf("the checkpoint before execution %d in VM %s is gone", e.ID, vm.Name),
			Hint: fmt.Sprintf("the last %d are kept; vm snapshots %s lists what it can be put back to", checkpointsKept, vm.Name)}
	case err != nil:
		return vm, stored(err)
	}
	vm, err = t.restore(ctx, vm, s)
	if err != nil {
		return vm, err
	}
	if err := t.store.MarkUndone(context.WithoutCancel(ctx), vm.ID, e.ID); err != nil {
		return vm, stored(err)
	}
	t.event(ctx, vm, "warning", "vm.undone", fmt.Sprintf("VM %s was put back to before execution %d", vm.Name, e.ID),
		map[string]any{"executionId": e.ID, "snapshotId": s.ID})
	return vm, nil
}

// lastDone is a VM's newest execution that is not undone.
func (t *Tenant) lastDone(ctx context.Context, vm db.VirtualMachine) (db.Execution, error) {
	const page = 50
	for before := int64(0); ; {
		list, err := t.store.Executions(ctx, t.user.ID, vm.ID, before, page)
		if err != nil {
			return db.Execution{}, stored(err)
		}
		for _, e := range list {
			if !e.Undone {
				return e, nil
			}
			before = e.ID
		}
		if len(list) < page {
			return db.Execution{}, &Error{Kind: ErrState, Message: "there is nothing to undo in VM " + vm.Name}
		}
	}
}

// snapshotPoll is how often a VM is looked at of which a snapshot is being taken.
const snapshotPoll = 2 * time.Millisecond

// afterSnapshot waits while a snapshot of the VM is being taken and returns the
// row as it is then: a VM goes on meanwhile, so nobody need hear of it.
func (p *Pool) afterSnapshot(ctx context.Context, vm db.VirtualMachine) (db.VirtualMachine, error) {
	for vm.Status == db.Snapshotting {
		select {
		case <-ctx.Done():
			return vm, ctx.Err()
		case <-time.After(snapshotPoll):
		}
		row, err := p.store.VM(ctx, vm.ID)
		if err != nil {
			return vm, stored(err)
		}
		vm = p.recovered(ctx, row)
	}
	return vm, nil
}

// begin records that an execution begins, after whatever snapshot is being taken.
func (p *Pool) begin(ctx context.Context, vm db.VirtualMachine, e *db.Execution) error {
	for {
		err := p.store.BeginExecution(ctx, e)
		if !errors.Is(err, db.ErrConflict) {
			return err
		}
		row, readErr := p.store.VM(ctx, vm.ID)
		if readErr != nil || row.Status != db.Snapshotting && row.Status != db.Running {
			return err
		}
		if _, err := p.afterSnapshot(ctx, row); err != nil {
			return err
		}
	}
}

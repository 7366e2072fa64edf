package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// Recover brings what dead processes left half-done into a defined state: VMs
// that were being worked on, executions that nobody follows any more. It asks
// the engines about these alone, so it is cheap when nothing is left.
func (p *Pool) Recover(ctx context.Context) error {
	vms, err := p.store.VMs(ctx, db.VMFilter{Status: []db.Status{
		db.Creating, db.Starting, db.Stopping, db.Deleting, db.Snapshotting, db.Restoring}})
	if err != nil {
		return stored(err)
	}
	for _, vm := range vms {
		p.recovered(ctx, vm)
	}
	executions, err := p.store.RunningExecutions(ctx, 0)
	if err != nil {
		return stored(err)
	}
	for _, e := range executions {
		p.adopt(ctx, e)
	}
	return nil
}

// recovered takes over a VM whose owner is dead and returns the row as it is
// afterwards. Others are returned as they are.
func (p *Pool) recovered(ctx context.Context, vm db.VirtualMachine) db.VirtualMachine {
	if !vm.Status.Transient() || !abandoned(vm, now()) {
		return vm
	}
	driver, err := p.driver(vm.Runtime)
	if err != nil {
		return vm // a process that has this driver will do it
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	old := vm.Owner
	row, err := p.store.UpdateVM(ctx, vm.ID, []db.Status{vm.Status}, func(vm *db.VirtualMachine) error {
		if vm.Owner != old {
			return db.ErrConflict // another process took it over
		}
		vm.Owner, vm.OwnedUntil = runtime.Self().String(), now().Add(changeDeadline)
		return nil
	})
	if err != nil {
		return row
	}
	p.log.Info("taking over a VM from a dead process", "vm", row.Name, "status", row.Status)
	switch row.Status {
	case db.Creating, db.Deleting:
		return p.removeAbandoned(ctx, driver, row)
	default:
		if row.Status == db.Snapshotting || row.Status == db.Restoring {
			p.mendSnapshots(ctx, row, driver)
		}
		status, reason := observe(ctx, driver, p.ref(row))
		row, err = p.settle(ctx, row, status, func(vm *db.VirtualMachine) { vm.Error = reason })
		if err != nil {
			p.log.Error("cannot record the state of a VM", "vm", vm.Name, "error", err)
		}
		return row
	}
}

// abandoned reports whether nobody works on a transient VM any more.
func abandoned(vm db.VirtualMachine, at time.Time) bool {
	return runtime.ParseOwner(vm.Owner).Gone() || (!vm.OwnedUntil.IsZero() && at.After(vm.OwnedUntil))
}

// removeAbandoned ends a creation that nobody waits for, or a deletion.
func (p *Pool) removeAbandoned(ctx context.Context, driver runtime.Driver, vm db.VirtualMachine) db.VirtualMachine {
	if err := driver.Destroy(ctx, p.ref(vm)); err != nil {
		vm, _ = p.settleAs(ctx, vm, driver, err) // the row says what is wrong
		return vm
	}
	if err := p.store.DeleteVM(ctx, vm.ID); err != nil && !isNotFound(err) {
		p.log.Error("cannot remove a VM's row", "vm", vm.Name, "error", err)
		return vm
	}
	p.event(ctx, vm, "warning", "vm.abandoned", fmt.Sprintf("VM %s was removed: the process that was %s it ended in the middle", vm.Name, vm.Status), nil)
	vm.Status = db.Deleting
	return vm
}

// adopt takes over an execution whose follower is dead: it records its end, or
// follows it until this process ends.
func (p *Pool) adopt(ctx context.Context, e db.Execution) {
	if !runtime.ParseOwner(e.Owner).Gone() {
		return
	}
	self := runtime.Self().String()
	if err := p.store.AdoptExecution(ctx, e.ID, e.Owner, self); err != nil {
		return // another process was faster, or it has ended
	}
	e.Owner = self
	vm, err := p.store.VM(ctx, e.VMID)
	if err != nil {
		_, _ = p.finishBroken(ctx, e, err) // its VM is gone
		return
	}
	if !p.goesOn(ctx, vm, e) {
		// At once, so that a process that lives for one command records it too.
		p.followQuietly(ctx, vm, e)
		return
	}
	p.goBackground(func(ctx context.Context) { p.followQuietly(ctx, vm, e) })
}

// goesOn reports whether an execution still runs, as far as its agent says.
func (p *Pool) goesOn(ctx context.Context, vm db.VirtualMachine, e db.Execution) bool {
	client, err := p.agents.get(ctx, vm)
	if err != nil {
		return false
	}
	runs, err := client.Runs(ctx)
	return err != nil || slices.ContainsFunc(runs, func(r agent.Result) bool {
		return r.ID == runID(e.ID) && r.Verdict == agent.Running
	})
}

// followQuietly sees an execution that nobody waits for to its end. When ctx
// ends first, the next process adopts it.
func (p *Pool) followQuietly(ctx context.Context, vm db.VirtualMachine, e db.Execution) {
	client, err := p.agents.get(ctx, vm)
	if err == nil {
		stopWatching := p.watchDisk(ctx, vm, client, runID(e.ID))
		defer stopWatching()
		var result agent.Result
		result, err = client.Follow(ctx, runID(e.ID), nil)
		if err == nil {
			_, err = p.finish(ctx, client, e, result)
			if err != nil {
				p.log.Warn("cannot record an execution's end", "execution", e.ID, "error", err)
			}
			return
		}
	}
	if ctx.Err() != nil || errors.Is(err, ErrUnavailable) {
		return // not known to have ended: somebody tries again
	}
	if _, err := p.finishBroken(ctx, e, err); err != nil {
		p.log.Warn("cannot record an execution's end", "execution", e.ID, "error", err)
	}
}

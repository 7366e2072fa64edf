package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
)

// stopGrace is what processes get to heed SIGTERM when a VM is stopped.
const stopGrace = 5 * time.Second

// Start starts a stopped VM with the files it had. A running one is left as it is.
func (t *Tenant) Start(ctx context.Context, vm db.VirtualMachine) (db.VirtualMachine, error) {
	if vm.Status == db.Running {
		return vm, nil
	}
	vm, driver, err := t.claim(ctx, vm, db.Starting, db.Stopped, db.Failed)
	if err != nil {
		return vm, err
	}
	machine, err := driver.Start(ctx, t.ref(vm))
	if err != nil {
		return t.settleAs(ctx, vm, driver, err)
	}
	vm, err = t.settle(ctx, vm, db.Running, func(vm *db.VirtualMachine) {
		vm.ContainerID, vm.IP, vm.Enforcement = machine.ID, machine.IP, machine.Enforcement
		vm.StartedAt, vm.LastUsedAt, vm.Error = now(), now(), ""
	})
	if err == nil {
		t.event(ctx, vm, "info", "vm.started", fmt.Sprintf("VM %s was started", vm.Name), nil)
	}
	return vm, err
}

// Stop ends what runs in a VM and keeps its files. A stopped one is left as it is.
func (t *Tenant) Stop(ctx context.Context, vm db.VirtualMachine, force bool) (db.VirtualMachine, error) {
	return t.stopVM(ctx, vm, force, "it was stopped")
}

func (p *Pool) stopVM(ctx context.Context, vm db.VirtualMachine, force bool, why string) (db.VirtualMachine, error) {
	if vm.Status == db.Stopped {
		return vm, nil
	}
	vm, driver, err := p.claim(ctx, vm, db.Stopping, db.Running, db.Failed)
	if err != nil {
		return vm, err
	}
	grace := stopGrace
	if force {
		grace = 0
	}
	err = driver.Stop(ctx, p.ref(vm), grace)
	p.agents.drop(vm.ID)
	if err != nil {
		return p.settleAs(ctx, vm, driver, err)
	}
	vm, err = p.settle(ctx, vm, db.Stopped, func(vm *db.VirtualMachine) {
		vm.StoppedAt, vm.IP, vm.Error = now(), "", ""
	})
	if err == nil {
		p.event(ctx, vm, "info", "vm.stopped", fmt.Sprintf("VM %s: %s", vm.Name, why), nil)
	}
	return vm, err
}

// Restart stops and starts a VM.
func (t *Tenant) Restart(ctx context.Context, vm db.VirtualMachine, force bool) (db.VirtualMachine, error) {
	vm, err := t.Stop(ctx, vm, force)
	if err != nil {
		return vm, err
	}
	return t.Start(ctx, vm)
}

// Delete removes a VM, whatever runs in it. Its executions stay in the history.
func (t *Tenant) Delete(ctx context.Context, vm db.VirtualMachine) error {
	return t.deleteVM(ctx, vm, "it was deleted")
}

func (p *Pool) deleteVM(ctx context.Context, vm db.VirtualMachine, why string) error {
	vm, driver, err := p.claim(ctx, vm, db.Deleting, db.Running, db.Stopped, db.Failed)
	if err != nil {
		return err
	}
	if err := driver.Destroy(ctx, p.ref(vm)); err != nil {
		_, err = p.settleAs(ctx, vm, driver, err)
		return err
	}
	p.agents.drop(vm.ID)
	if err := p.store.DeleteVM(context.WithoutCancel(ctx), vm.ID); err != nil && !isNotFound(err) {
		return stored(err)
	}
	p.event(ctx, vm, "info", "vm.deleted", fmt.Sprintf("VM %s: %s", vm.Name, why), nil)
	return nil
}

// claim moves a VM from one of the statuses given to a transient one that this
// process owns until it settles it.
func (p *Pool) claim(ctx context.Context, vm db.VirtualMachine, to db.Status, from ...db.Status) (db.VirtualMachine, runtime.Driver, error) {
	driver, err := p.driver(vm.Runtime)
	if err != nil {
		return vm, nil, err
	}
	row, err := p.store.UpdateVM(ctx, vm.ID, from, func(vm *db.VirtualMachine) error {
		vm.Status, vm.Owner, vm.OwnedUntil = to, runtime.Self().String(), now().Add(changeDeadline)
		return nil
	})
	switch {
	case errors.Is(err, db.ErrConflict):
		return row, nil, inState(row)
	case isNotFound(err):
		return vm, nil, notFound("VM", vm.ID, "")
	case err != nil:
		return vm, nil, stored(err)
	}
	return row, driver, nil
}

// settle ends a claim.
func (p *Pool) settle(ctx context.Context, vm db.VirtualMachine, to db.Status, change func(*db.VirtualMachine)) (db.VirtualMachine, error) {
	row, err := p.store.UpdateVM(context.WithoutCancel(ctx), vm.ID, []db.Status{vm.Status}, func(vm *db.VirtualMachine) error {
		vm.Status, vm.Owner, vm.OwnedUntil = to, "", time.Time{}
		change(vm)
		return nil
	})
	if err != nil {
		return vm, stored(err)
	}
	return row, nil
}

// settleAs ends a claim whose driver failed: with what the engine says of the
// machine, or with the status error when it is gone or cannot be asked.
func (p *Pool) settleAs(ctx context.Context, vm db.VirtualMachine, driver runtime.Driver, cause error) (db.VirtualMachine, error) {
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	status, reason := observe(asking, driver, p.ref(vm))
	if status == db.Failed && reason == "" {
		reason = cause.Error()
	}
	vm, err := p.settle(asking, vm, status, func(vm *db.VirtualMachine) { vm.Error = reason })
	if err != nil {
		p.log.Error("cannot record the state of a VM", "vm", vm.Name, "error", err)
	}
	return vm, driven(cause)
}

// observe asks the engine what a machine's status is.
func observe(ctx context.Context, driver runtime.Driver, ref runtime.Ref) (status db.Status, reason string) {
	machine, err := driver.Inspect(ctx, ref)
	switch {
	case errors.Is(err, runtime.ErrNoMachine):
		return db.Failed, "its machine is gone from the engine; delete it and create it anew"
	case err != nil:
		return db.Failed, "the engine could not be asked about it: " + runtime.Plain(err)
	case machine.State == runtime.Running:
		return db.Running, ""
	case machine.State == runtime.Stopped:
		return db.Stopped, ""
	}
	return db.Failed, "its machine is incomplete; delete it and create it anew"
}

// inState says why an operation does not go with a VM's status, and what would.
func inState(vm db.VirtualMachine) error {
	e := &Error{Kind: ErrState, Message: fmt.Sprintf("VM %s is %s", vm.Name, vm.Status)}
	switch {
	case vm.Status.Transient():
		e.Kind = ErrBusy
		e.Message = fmt.Sprintf("another operation holds VM %s: it is %s", vm.Name, vm.Status)
		e.Hint = "try again when it has ended"
	case vm.Status == db.Stopped:
		e.Hint = "vm start " + vm.Name
	case vm.Status == db.Failed:
		e.Message = fmt.Sprintf("VM %s is in error: %s", vm.Name, vm.Error)
		e.Hint = "vm start " + vm.Name + " tries to bring it back; vm delete " + vm.Name + " removes it"
	}
	return e
}

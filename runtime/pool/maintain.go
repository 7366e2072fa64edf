package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
)

// Intervals of a serving process's upkeep.
const (
	sweepInterval     = 5 * time.Second
	sweepLease        = 3 * sweepInterval // a dead holder is replaced after this
	reconcileInterval = time.Minute
	sweepName         = "sweep"
)

// Maintain keeps the pool in order until the pool is closed: it recovers what
// dead processes left at once, then sweeps and reconciles at intervals. Of all
// processes on one database only the holder of a lease sweeps.
func (p *Pool) Maintain() {
	p.goBackground(func(ctx context.Context) {
		if err := p.Recover(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("recovery failed; it is tried again", "error", err)
		}
		tick := time.NewTicker(sweepInterval)
		defer tick.Stop()
		var reconciled time.Time
		for {
			if err := p.maintainOnce(ctx, &reconciled); err != nil && ctx.Err() == nil {
				p.log.Warn("upkeep failed; it is tried again", "error", err)
			}
			select {
			case <-ctx.Done():
				p.releaseSweep(ctx)
				return
			case <-tick.C:
			}
		}
	})
}

// maintainOnce sweeps, when it is this process's turn, and reconciles when that
// was last done too long ago. An engine may still finish what a process asked
// for that died meanwhile, so once is not enough.
func (p *Pool) maintainOnce(ctx context.Context, reconciled *time.Time) error {
	mine, err := p.store.TakeLease(ctx, sweepName, runtime.Self().String(), sweepLease)
	if err != nil || !mine {
		return err
	}
	if time.Since(*reconciled) >= reconcileInterval {
		if err := p.Reconcile(ctx); err != nil {
			return err
		}
		*reconciled = time.Now()
	}
	return p.Sweep(ctx)
}

func (p *Pool) releaseSweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = p.store.ReleaseLease(ctx, sweepName, runtime.Self().String()) // it expires by itself
}

// Reconcile compares database and engines, both ways: machines without a row are
// removed, rows whose machine has ended say so, builds that nobody needs go.
func (p *Pool) Reconcile(ctx context.Context) error {
	if err := p.Recover(ctx); err != nil {
		return err
	}
	failures := []error{p.collectBuilds(ctx)}
	for _, driver := range p.drivers {
		if _, err := driver.Probe(ctx); err != nil {
			continue // an engine that is not there has nothing to compare
		}
		if err := p.reconcileDriver(ctx, driver); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", driver.Name(), err))
		}
	}
	return errors.Join(failures...)
}

func (p *Pool) reconcileDriver(ctx context.Context, driver runtime.Driver) error {
	// Machines first: a row is always older than its machine, so a machine that
	// is listed here and has no row afterwards is a leftover.
	machines, err := driver.List(ctx, p.store.Instance())
	if err != nil {
		return err
	}
	vms, err := p.store.VMs(ctx, db.VMFilter{})
	if err != nil {
		return err
	}
	rows := map[int64]db.VirtualMachine{}
	for _, vm := range vms {
		rows[vm.ID] = vm
	}
	states := map[int64]runtime.State{}
	for _, m := range machines {
		states[m.VM] = m.State
		if _, ok := rows[m.VM]; !ok {
			p.log.Info("removing a machine that no VM has", "machine", m.Ref, "runtime", driver.Name())
			if err := driver.Destroy(ctx, m.Ref); err != nil {
				return err
			}
		}
	}
	for _, vm := range vms {
		if vm.Runtime == driver.Name() && vm.Status == db.Running && states[vm.ID] != runtime.Running {
			p.observed(ctx, vm)
		}
	}
	return nil
}

// Sweep stops idle VMs, deletes expired ones and recovers abandoned ones.
func (p *Pool) Sweep(ctx context.Context) error {
	if err := p.Recover(ctx); err != nil {
		return err
	}
	vms, err := p.store.VMs(ctx, db.VMFilter{Status: []db.Status{db.Running, db.Stopped, db.Failed}})
	if err != nil {
		return stored(err)
	}
	var failures []error
	at := now()
	for _, vm := range vms {
		if err := p.sweepVM(ctx, vm, at); err != nil && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrState) && !errors.Is(err, ErrNotFound) {
			failures = append(failures, fmt.Errorf("VM %s: %w", vm.Name, err))
		}
	}
	return errors.Join(failures...)
}

func (p *Pool) sweepVM(ctx context.Context, vm db.VirtualMachine, at time.Time) error {
	unused := at.Sub(vm.LastUsedAt)
	switch {
	case !vm.ExpiresAt.IsZero() && at.After(vm.ExpiresAt):
		return p.deleteVM(ctx, vm, "its time to live has ended")
	case vm.Scratch && unused > p.defaults.ScratchTTL && p.idle(ctx, vm):
		return p.deleteVM(ctx, vm, "it was a scratch VM and has long been unused")
	case vm.Status == db.Running && vm.IdleTimeout > 0 && unused > seconds(vm.IdleTimeout) && p.idle(ctx, vm):
		_, err := p.stopVM(ctx, vm, false, "it was stopped because it was idle")
		return err
	}
	return nil
}

// idle reports whether nothing runs in a VM.
func (p *Pool) idle(ctx context.Context, vm db.VirtualMachine) bool {
	running, err := p.store.RunningExecutions(ctx, vm.ID)
	return err == nil && len(running) == 0
}

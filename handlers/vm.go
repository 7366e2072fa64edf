package handlers

import (
	"context"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/pool"
)

// get finds the VM that an ID names.
func (s Scope) get(ctx context.Context, id ID) (db.VirtualMachine, error) {
	return s.Get(ctx, id.Number, id.Name)
}

// optional is the number of the VM that an ID names, 0 for none.
func (s Scope) optional(ctx context.Context, id *ID) (int64, error) {
	if id == nil {
		return 0, nil
	}
	vm, err := s.get(ctx, *id)
	return vm.ID, err
}

func create(ctx context.Context, s Scope, p CreateParams) (VM, error) {
	origin, err := s.origin(ctx, p.Snapshot)
	if err != nil {
		return VM{}, err
	}
	progress, end := s.progress(ctx, p.Tokens, "Creating VM "+p.Name)
	vm, err := s.Create(ctx, pool.CreateRequest{
		Name: p.Name, Template: p.Template, Language: p.Language, Runtime: p.Runtime, Image: p.Image,
		CPU: p.CPULimit, MemoryMiB: p.MemoryLimit, DiskMiB: p.DiskLimit, Pids: p.PidsLimit,
		Timeout: p.Timeout, IdleTimeout: p.IdleTimeout, TTL: p.TTL,
		Network: (*runtime.Network)(p.Network), Isolation: p.Isolation, Env: p.Env, Labels: p.Labels, Packages: p.Packages, From: origin,
	}, progress)
	end(err)
	return encodeVM(vm), err
}

func list(ctx context.Context, s Scope, p ListParams) (ListResult, error) {
	f := db.VMFilter{Language: p.Language, Label: p.Label}
	for _, status := range []db.Status{db.Creating, db.Starting, db.Running, db.Stopping, db.Stopped,
		db.Snapshotting, db.Restoring, db.Failed, db.Deleting} {
		if p.Status != "" && shown(status) == p.Status {
			f.Status = append(f.Status, status)
		}
	}
	vms, err := s.List(ctx, f, p.AllUsers)
	return ListResult{encodeVMs(vms)}, err
}

func get(ctx context.Context, s Scope, p IDParams) (VM, error) {
	vm, err := s.get(ctx, p.ID)
	return encodeVM(vm), err
}

func status(ctx context.Context, s Scope, p IDParams) (StatusResult, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return StatusResult{}, err
	}
	stats, err := s.Stats(ctx, vm)
	if err != nil {
		return StatusResult{}, err
	}
	running, err := s.RunningExecutions(ctx, vm)
	return StatusResult{
		VM: encodeVM(vm),
		Stats: Stats{
			CPUPercent: stats.CPUPercent, MemoryMiB: mebibytes(stats.Memory), DiskMiB: mebibytes(stats.Disk),
			Pids: stats.Pids, Uptime: stats.Uptime.Seconds(),
		},
		RunningExecutions: encodeAll(running, s.execution),
	}, err
}

// mebibytes rounds up, so that only nothing is none.
func mebibytes(bytes int64) int { return int((bytes + 1<<20 - 1) >> 20) }

// start takes force as its siblings do; there is nothing to be killed.
func start(ctx context.Context, s Scope, p ForceParams) (VM, error) {
	return s.change(ctx, p.ID, p.Tokens, "Starting", s.Start)
}

func stop(ctx context.Context, s Scope, p ForceParams) (VM, error) {
	return s.change(ctx, p.ID, p.Tokens, "Stopping", func(ctx context.Context, vm db.VirtualMachine) (db.VirtualMachine, error) {
		return s.Stop(ctx, vm, p.Force)
	})
}

func restart(ctx context.Context, s Scope, p ForceParams) (VM, error) {
	return s.change(ctx, p.ID, p.Tokens, "Restarting", func(ctx context.Context, vm db.VirtualMachine) (db.VirtualMachine, error) {
		return s.Restart(ctx, vm, p.Force)
	})
}

// change applies a life-cycle operation to the VM that an ID names.
func (s Scope) change(ctx context.Context, id ID, t Tokens, doing string,
	operation func(context.Context, db.VirtualMachine) (db.VirtualMachine, error),
) (VM, error) {
	vm, err := s.get(ctx, id)
	if err != nil {
		return VM{}, err
	}
	_, end := s.progress(ctx, t, doing+" VM "+vm.Name)
	vm, err = operation(ctx, vm)
	end(err)
	return encodeVM(vm), err
}

func remove(ctx context.Context, s Scope, p ForceParams) (Empty, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return Empty{}, err
	}
	_, end := s.progress(ctx, p.Tokens, "Deleting VM "+vm.Name)
	err = s.Delete(ctx, vm)
	end(err)
	return Empty{}, err
}

func logs(ctx context.Context, s Scope, p LogsParams) (LogsResult, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return LogsResult{}, err
	}
	tail, err := bounded("tail", p.Tail, 200, 10_000)
	if err != nil {
		return LogsResult{}, err
	}
	lines, err := s.Logs(ctx, vm, tail)
	if lines == nil {
		lines = []runtime.LogLine{}
	}
	return LogsResult{lines}, err
}

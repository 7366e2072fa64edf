package handlers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/pool"
)

func batchExecute(ctx context.Context, s Scope, p BatchParams) (BatchResult, error) {
	request, err := s.request(p.Run)
	if err != nil {
		return BatchResult{}, err
	}
	switch {
	case p.MaxParallel < 0:
		return BatchResult{}, badParams("maxParallel", fmt.Sprintf("maxParallel is %d; it must be above 0", p.MaxParallel))
	case p.VMIDs != nil && len(p.VMIDs) == 0:
		return BatchResult{}, badParams("vmIds", "vmIds is empty; leave it out to run in all running VMs")
	case len(p.Matrix) > 0 && len(p.VMIDs) > 0:
		return BatchResult{}, badParams("matrix", "a batch runs in VMs that are there, vmIds, or in new ones, matrix, but not in both")
	}
	items, err := s.batch(ctx, request, p)
	if err != nil {
		return BatchResult{}, err
	}
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return BatchResult{}, ctx.Err()
	}
	return s.batchResult(items), nil
}

// batch runs the request in the VMs chosen, or in those of a matrix; each one's
// output goes out as it comes.
func (s Scope) batch(ctx context.Context, request pool.RunRequest, p BatchParams) ([]pool.BatchItem, error) {
	observe, flush := s.observeEach(ctx, p.Tokens)
	defer flush()
	options := pool.BatchOptions{Parallel: p.MaxParallel, FailFast: p.FailFast, Observe: observe}
	if len(p.Matrix) == 0 {
		vms, err := s.batchTargets(ctx, p.VMIDs)
		if err != nil {
			return nil, err
		}
		return s.Batch(ctx, vms, request, options), nil
	}
	progress, end := s.progress(ctx, p.Tokens, "Running in new VMs")
	items, err := s.Matrix(ctx, p.Matrix, request, options, progress)
	end(err)
	return items, err
}

// batchTargets are the VMs that a batch names, each once, or else all running
// ones.
func (s Scope) batchTargets(ctx context.Context, ids []ID) ([]db.VirtualMachine, error) {
	if len(ids) == 0 {
		return s.Running(ctx)
	}
	var vms []db.VirtualMachine
	seen := map[int64]bool{}
	for _, id := range ids {
		vm, err := s.get(ctx, id)
		if err != nil {
			return nil, err
		}
		if !seen[vm.ID] {
			vms = append(vms, vm)
		}
		seen[vm.ID] = true
	}
	return vms, nil
}

// observeEach is observe for executions side by side.
func (s Scope) observeEach(ctx context.Context, t Tokens) (observe func(db.VirtualMachine) pool.Observer, flush func()) {
	var mu sync.Mutex
	var flushes []func()
	return func(db.VirtualMachine) pool.Observer {
			o, flush := s.observe(ctx, t)
			mu.Lock()
			defer mu.Unlock()
			flushes = append(flushes, flush)
			return o
		}, func() {
			for _, flush := range flushes {
				flush()
			}
		}
}

func (s Scope) batchResult(items []pool.BatchItem) BatchResult {
	return BatchResult{Results: encodeAll(items, s.batchItem), Groups: encodeAll(pool.Compare(items), encodeGroup)}
}

func encodeGroup(g pool.BatchGroup) BatchGroup {
	return BatchGroup{
		VMIDs:  encodeAll(g.VMs, func(vm db.VirtualMachine) int64 { return vm.ID }),
		Output: text(g.Output), ExitCode: g.ExitCode, Majority: g.Majority, Diff: g.Diff,
	}
}

func (s Scope) batchItem(i pool.BatchItem) BatchItem {
	item := BatchItem{Execution: s.execution(i.Execution)}
	if i.Err != nil {
		e := AsError(i.Err)
		item.Execution.VMID, item.Execution.VMName, item.Execution.Language = i.VM.ID, i.VM.Name, i.VM.Language
		item.Execution.Error, item.Failure = e.Message, e.Data
	}
	return item
}

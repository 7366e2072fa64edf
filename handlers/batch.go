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
	request, err := p.Run.request()
	if err != nil {
		return BatchResult{}, err
	}
	if p.MaxParallel < 0 {
		return BatchResult{}, badParams("maxParallel", fmt.Sprintf("maxParallel is %d; it must be above 0", p.MaxParallel))
	}
	vms, err := s.batchTargets(ctx, p.VMIDs)
	if err != nil {
		return BatchResult{}, err
	}
	items := s.batch(ctx, vms, request, p)
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return BatchResult{}, ctx.Err()
	}
	return encodeBatch(items), nil
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

// batch runs the request; each VM's output goes out as it comes.
func (s Scope) batch(ctx context.Context, vms []db.VirtualMachine, request pool.RunRequest, p BatchParams) []pool.BatchItem {
	observe, flush := s.observeEach(ctx, p.Tokens)
	defer flush()
	return s.Batch(ctx, vms, request, pool.BatchOptions{Parallel: p.MaxParallel, FailFast: p.FailFast, Observe: observe})
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

func encodeBatch(items []pool.BatchItem) BatchResult {
	return BatchResult{Results: encodeAll(items, encodeItem), Groups: encodeAll(pool.Compare(items), encodeGroup)}
}

func encodeGroup(g pool.BatchGroup) BatchGroup {
	return BatchGroup{
		VMIDs:  encodeAll(g.VMs, func(vm db.VirtualMachine) int64 { return vm.ID }),
		Output: text(g.Output), ExitCode: g.ExitCode, Majority: g.Majority, Diff: g.Diff,
	}
}

func encodeItem(i pool.BatchItem) BatchItem {
	item := BatchItem{Execution: encodeExecution(i.Execution)}
	if i.Err != nil {
		e := AsError(i.Err)
		item.Execution.VMID, item.Execution.VMName = i.VM.ID, i.VM.Name
		item.Execution.Error, item.Failure = e.Message, e.Data
	}
	return item
}

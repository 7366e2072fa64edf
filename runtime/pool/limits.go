package pool

import (
	"context"
	"sync"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

const (
	// diskInterval is how often a watched disk is measured while code runs.
	diskInterval = 500 * time.Millisecond
	// firstDiskInterval is when it is measured first: late enough to cost most
	// executions nothing, and too soon to have written much.
	firstDiskInterval = 50 * time.Millisecond
)

// hold sets what the agent does about limits that neither the kernel nor the
// engine holds hard.
func hold(run *agent.Run, vm db.VirtualMachine) {
	if vm.Enforcement.Memory == runtime.Watched {
		run.WatchMemory = int64(vm.MemoryLimit) << 20
	}
	if vm.Enforcement.Disk == runtime.Watched {
		run.FileSize = int64(vm.DiskLimit) << 20
	}
}

// diskWatch tells when a disk's limit is exceeded by something that runs, and not
// by what had run before.
type diskWatch struct {
	limit int64 // bytes
	least int64 // bytes that were used at any measurement
	begun bool
}

// exceeded takes in what is used now.
func (w *diskWatch) exceeded(used int64) bool {
	if !w.begun || used < w.least {
		w.least, w.begun = used, true
	}
	return used > w.limit && used > w.least
}

// watchDisk measures a watched disk while a run goes on, and ends the run when
// the disk grows beyond its limit meanwhile. The function returned ends the watch and waits
// for it.
func (p *Pool) watchDisk(ctx context.Context, vm db.VirtualMachine, client *agent.Client, id string) (stop func()) {
	if vm.Enforcement.Disk != runtime.Watched {
		return func() {}
	}
	driver, err := p.driver(vm.Runtime)
	if err != nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var done sync.WaitGroup
	done.Go(func() {
		watch := diskWatch{limit: int64(vm.DiskLimit) << 20}
		tick := time.NewTimer(firstDiskInterval)
		defer tick.Stop()
		for ; ; tick.Reset(diskInterval) {
			select {
			case <-ctx.Done():
				return
			case <-client.Done():
				return
			case <-tick.C:
			}
			used, err := driver.DiskUsage(ctx, p.ref(vm))
			if err == nil && watch.exceeded(used) {
				_ = client.Kill(ctx, id, agent.DiskFull) // a run that ended meanwhile needs no killing
				return
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

package pool

import (
	"context"
	"sync"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// diskInterval is how often a watched disk is measured while code runs.
const diskInterval = 500 * time.Millisecond

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

// watchDisk measures a watched disk while a run goes on, and ends the run when
// it has grown beyond its limit. The function returned ends the watch and waits
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
		tick := time.NewTicker(diskInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-client.Done():
				return
			case <-tick.C:
			}
			used, err := driver.DiskUsage(ctx, p.ref(vm))
			if err == nil && used > int64(vm.DiskLimit)<<20 {
				_ = client.Kill(ctx, id, agent.DiskFull) // a run that ended meanwhile needs no killing
				return
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

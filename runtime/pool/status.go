package pool

import (
	"context"
	"slices"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// probeTimeout bounds asking one driver about itself.
const probeTimeout = 5 * time.Second

// Stats measures a VM at this moment; all zero while it does not run.
func (t *Tenant) Stats(ctx context.Context, vm db.VirtualMachine) (agent.Stats, error) {
	if vm.Status != db.Running {
		return agent.Stats{}, nil
	}
	client, err := t.agents.get(ctx, vm)
	if err != nil {
		return agent.Stats{}, t.unreachable(ctx, vm, err)
	}
	stats, err := client.Stats(ctx)
	if err != nil {
		return stats, driven(err)
	}
	if stats.Disk < 0 {
		driver, err := t.driver(vm.Runtime)
		if err != nil {
			return stats, err
		}
		if stats.Disk, err = driver.DiskUsage(ctx, t.ref(vm)); err != nil {
			return stats, driven(err)
		}
	}
	return stats, nil
}

// RunningExecutions are those that have not ended in a VM.
func (t *Tenant) RunningExecutions(ctx context.Context, vm db.VirtualMachine) ([]db.Execution, error) {
	list, err := t.store.RunningExecutions(ctx, vm.ID)
	return list, stored(err)
}

// Logs returns the last lines of a VM's own log and of what its template's set-up
// script printed, oldest first.
func (t *Tenant) Logs(ctx context.Context, vm db.VirtualMachine, tail int) ([]runtime.LogLine, error) {
	driver, err := t.driver(vm.Runtime)
	if err != nil {
		return nil, err
	}
	lines, err := driver.Logs(ctx, t.ref(vm), tail)
	if err != nil {
		return nil, driven(err)
	}
	setup, err := t.setupLog(ctx, vm)
	if err != nil {
		return nil, err
	}
	lines = append(lines, setup...)
	slices.SortStableFunc(lines, func(a, b runtime.LogLine) int { return a.Time.Compare(b.Time) })
	return lines[max(0, len(lines)-tail):], nil
}

// Use is how much of the quotas is taken.
type Use struct {
	User, Total           int
	UserLimit, TotalLimit int
	ByStatus              map[db.Status]int // of the user's
	Warm                  int               // running scratch VMs of the user
}

// Use counts VMs.
func (t *Tenant) Use(ctx context.Context) (Use, error) {
	u := Use{UserLimit: t.quota.PerUser, TotalLimit: t.quota.Total}
	var err error
	if u.ByStatus, err = t.store.CountVMs(ctx, t.user.ID); err != nil {
		return u, stored(err)
	}
	all, err := t.store.CountVMs(ctx, 0)
	if err != nil {
		return u, stored(err)
	}
	for _, n := range u.ByStatus {
		u.User += n
	}
	for _, n := range all {
		u.Total += n
	}
	scratch := true
	warm, err := t.store.VMs(ctx, db.VMFilter{UserID: t.user.ID, Status: []db.Status{db.Running}, Scratch: &scratch})
	u.Warm = len(warm)
	return u, stored(err)
}

// RuntimeState is what a driver says of itself here.
type RuntimeState struct {
	Name     string
	Features runtime.Features
	Err      error // why it does not work; nil when it does
}

// Runtimes asks every driver, in order of preference.
func (p *Pool) Runtimes(ctx context.Context) []RuntimeState {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	states := make([]RuntimeState, len(p.drivers))
	for i, d := range p.drivers {
		features, err := d.Probe(ctx)
		states[i] = RuntimeState{Name: d.Name(), Features: features, Err: err}
	}
	return states
}

// RunsIn lists the runtimes, of those given, where a language can run right now
// without a download.
func (p *Pool) RunsIn(ctx context.Context, language string, states []RuntimeState) []string {
	names := []string{}
	for _, s := range states {
		if s.Err != nil {
			continue
		}
		vm := db.VirtualMachine{Language: language}
		image, err := p.image(vm, s.Features)
		if err != nil {
			continue
		}
		driver, err := p.driver(s.Name)
		if err != nil {
			continue
		}
		spec := p.spec(vm)
		spec.Image = image
		if driver.Ready(ctx, spec) == nil {
			names = append(names, s.Name)
		}
	}
	return names
}

// Package pool manages the VMs: quotas, life cycle, executions, reconciliation
// with the engines, idle and expiry sweeps, and the event feed.
//
// Several processes manage one pool at a time, through the database: every
// change of a VM's state is a compare-and-set there, and a VM that is being
// worked on names its Owner. Any process may die at any moment; Recover, in
// another one, brings what it left into a defined state.
package pool

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

// Defaults that a VM gets for what its creator does not say, and the bounds of
// what can be asked for.
type Defaults struct {
	Limits       runtime.Limits
	Timeout      time.Duration // of an execution
	MaxTimeout   time.Duration
	IdleTimeout  time.Duration // 0 = never stopped
	ScratchIdle  time.Duration // likewise, of scratch VMs
	ScratchTTL   time.Duration // without use until a scratch VM is deleted
	Network      runtime.Network
	RecordBytes  int // kept of either end of each stream
	RunsInABatch int // side by side, when the caller does not say
	Checkpoint   CheckpointPolicy
}

// StandardDefaults are the figures of the wire contract.
func StandardDefaults() Defaults {
	return Defaults{
		Limits:       runtime.Limits{CPU: 1, MemoryMiB: 512, DiskMiB: 1024, Pids: 256},
		Timeout:      300 * time.Second,
		MaxTimeout:   600 * time.Second,
		ScratchIdle:  10 * time.Minute,
		ScratchTTL:   time.Hour,
		Network:      runtime.Network{Mode: runtime.NetworkNone},
		RecordBytes:  agent.DefaultRecordBytes,
		RunsInABatch: 10,
		Checkpoint:   CheckpointAuto,
	}
}

// StandardQuota is the wire contract's: 10 VMs per user, 100 in all.
func StandardQuota() db.Quota { return db.Quota{PerUser: 10, Total: 100} }

// Options of a Pool.
type Options struct {
	Store     db.Store         // used, not closed
	Drivers   []runtime.Driver // in order of preference for "auto"; used, not closed
	Languages *lang.Table
	Runtime   string // driver for VMs that do not name one; "" or "auto" = choose
	Quota     db.Quota
	Defaults  Defaults
	Packages  PackageSources
	Log       *slog.Logger
	// Lookup resolves the names that VMs with an allowlist want to reach; nil =
	// as this host does.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
}

// Pool is one process's view of the VMs. Its methods are safe for concurrent use.
type Pool struct {
	store     db.Store
	drivers   []runtime.Driver
	languages *lang.Table
	runtime   string
	quota     db.Quota
	defaults  Defaults
	packages  PackageSources
	log       *slog.Logger
	lookup    func(ctx context.Context, name string) ([]netip.Addr, error)

	agents *agents

	snapshotCosts sync.Map // of drivers that were asked: name to runtime.SnapshotCost

	// background work lives until Close.
	background context.Context
	stop       context.CancelFunc
	work       sync.WaitGroup
}

// New makes a pool. It starts nothing; see Maintain.
func New(o Options) *Pool {
	background, stop := context.WithCancel(context.Background())
	p := &Pool{
		store: o.Store, drivers: o.Drivers, languages: o.Languages, runtime: o.Runtime,
		quota: o.Quota, defaults: o.Defaults, packages: o.Packages, log: o.Log, lookup: o.Lookup,
		background: background, stop: stop,
	}
	p.agents = newAgents(p.open)
	return p
}

// Close ends background work and connections of this process. VMs and the
// executions in them go on; another process takes over what this one followed.
func (p *Pool) Close() {
	p.stop()
	p.work.Wait()
	p.agents.close()
}

// Languages is the table that the pool runs code by.
func (p *Pool) Languages() *lang.Table { return p.languages }

// Tenant is the pool as one user sees it: only his VMs can be reached through it.
type Tenant struct {
	*Pool
	user db.User
}

// For returns the pool as the named user sees it. The user is made when new.
func (p *Pool) For(ctx context.Context, name string) (*Tenant, error) {
	user, err := p.store.EnsureUser(ctx, name)
	if err != nil {
		return nil, stored(err)
	}
	return &Tenant{p, user}, nil
}

// User is the tenant's row.
func (t *Tenant) User() db.User { return t.user }

// Get finds a VM by its number, or by name when number is 0.
func (t *Tenant) Get(ctx context.Context, number int64, name string) (db.VirtualMachine, error) {
	var vm db.VirtualMachine
	var err error
	if number != 0 {
		vm, err = t.store.VM(ctx, number)
	} else {
		vm, err = t.store.VMByName(ctx, t.user.ID, name)
	}
	switch {
	case isNotFound(err):
		return vm, notFound("VM", number, name)
	case err != nil:
		return vm, stored(err)
	case vm.Build != "":
		return db.VirtualMachine{}, notFound("VM", number, name)
	case vm.UserID != t.user.ID:
		return vm, &Error{Kind: ErrUnauthorized, Message: "this VM belongs to another user"}
	}
	return t.recovered(ctx, vm), nil
}

// List returns VMs, oldest first; of all users when allUsers.
func (t *Tenant) List(ctx context.Context, f db.VMFilter, allUsers bool) ([]db.VirtualMachine, error) {
	if !allUsers {
		f.UserID = t.user.ID
	}
	builds := false
	f.Builds = &builds
	vms, err := t.store.VMs(ctx, f)
	if err != nil {
		return nil, stored(err)
	}
	for i := range vms {
		vms[i] = t.recovered(ctx, vms[i])
	}
	return vms, nil
}

// ref names the machine behind a row.
func (p *Pool) ref(vm db.VirtualMachine) runtime.Ref {
	return runtime.Ref{Instance: p.store.Instance(), VM: vm.ID}
}

// driver returns the driver that made a VM.
func (p *Pool) driver(name string) (runtime.Driver, error) {
	for _, d := range p.drivers {
		if d.Name() == name {
			return d, nil
		}
	}
	if !slices.Contains([]string{"docker", "native", "vagrant"}, name) {
		return nil, invalid("runtime", "there is no runtime %s: it is docker, native, vagrant or auto", quote(name))
	}
	return nil, &Error{Kind: ErrUnavailable, Field: "runtime", Message: "this build has no runtime " + name, Hint: "vm doctor lists those that it has"}
}

// goBackground runs f until it ends or the pool is closed.
func (p *Pool) goBackground(f func(ctx context.Context)) {
	p.work.Add(1)
	go func() {
		defer p.work.Done()
		f(p.background)
	}()
}

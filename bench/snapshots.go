package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/itechsmart/vm/handlers"
)

// Sizes, in MB, of what is in a VM whose files are kept.
var (
	sizes     = []int{1, 100, 500}
	forkSizes = []int{1, 100}
)

// A kept VM has one file of a size in it.
type kept struct {
	*place
	name      string
	size      int
	container string // of Docker: the id
	round     int
}

// Names of what a kept VM's rounds make, and remove again.
const (
	keptSnapshot = "kept"
	keptFork     = "fork"
)

// keep makes a VM of each size in every place but those that differ in their
// database alone. The caller calls remove.
func (p *places) keep(ctx context.Context, sizes []int) (vms []*kept, remove func(), err error) {
	remove = func() {
		for _, vm := range vms {
			for _, name := range []string{vm.name, keptFork} {
				_ = vm.client.Call(context.Background(), "vm/delete", map[string]any{"id": name, "force": true}, nil) // the fork is gone, as a rule
			}
		}
	}
	var runtimes []string
	for _, s := range p.servers {
		runtime, _, _ := strings.Cut(s.name, ",")
		if slices.Contains(runtimes, runtime) {
			continue
		}
		runtimes = append(runtimes, runtime)
		for _, size := range sizes {
			vm := &kept{place: s, name: fmt.Sprintf("kept%d", size), size: size}
			vms = append(vms, vm)
			if err := vm.make(ctx); err != nil {
				return vms, remove, fmt.Errorf("%s, %d MB: %w", s.name, size, err)
			}
		}
	}
	return vms, remove, nil
}

func (k *kept) make(ctx context.Context) error {
	const room = 2048 // MiB: the file, and what snapshots hold of it
	var vm handlers.VM
	if err := k.client.Call(ctx, "vm/create", map[string]any{"name": k.name, "language": "bash", "diskLimit": room}, &vm); err != nil {
		return err
	}
	if vm.Runtime == "docker" {
		k.container = vm.ContainerID
	}
	return k.write(ctx)
}

// write fills the VM's file anew.
func (k *kept) write(ctx context.Context) error {
	k.round++
	_, err := k.run(ctx, fmt.Sprintf("head -c %dMB /dev/urandom > file; echo %d > round", k.size, k.round))
	return err
}

// run runs code without a checkpoint: the snapshots are those that are measured.
func (k *kept) run(ctx context.Context, code string) (handlers.Execution, error) {
	var e handlers.Execution
	err := k.client.Call(ctx, "vm/execute", map[string]any{"id": k.name, "code": code, "checkpoint": false}, &e)
	if err == nil && (e.Verdict != "exited" || e.ExitCode != 0) {
		err = fmt.Errorf("%s with exit code %d: %s", e.Verdict, e.ExitCode, e.Error)
	}
	return e, err
}

func (k *kept) snapshot(ctx context.Context) error {
	return k.client.Call(ctx, "vm/snapshot", map[string]any{"id": k.name, "name": keptSnapshot}, nil)
}

func (k *kept) dropSnapshot(ctx context.Context) error {
	return k.client.Call(ctx, "vm/deleteSnapshot", map[string]any{"id": k.name, "snapshot": keptSnapshot}, nil)
}

func (k *kept) title(action string) string {
	return fmt.Sprintf("%s, %s, %d MB", action, k.place.name, k.size)
}

// takeSnapshots measures snapshots beside the engine's own way to take one.
func takeSnapshots(ctx context.Context, p *places, n int) (table, error) {
	vms, remove, err := p.keep(ctx, sizes)
	defer remove()
	if err != nil {
		return table{}, err
	}
	var contenders []contender
	for _, vm := range vms {
		contenders = append(contenders, contender{name: vm.title("vm/snapshot"), prepare: vm.write, do: vm.snapshot, clear: vm.dropSnapshot})
	}
	for _, vm := range vms {
		if vm.container == "" {
			continue
		}
		const image = "itechsmart/bench:commit"
		contenders = append(contenders, contender{
			name: fmt.Sprintf("docker commit, %d MB", vm.size),
			do: func(ctx context.Context) error {
				_, err := p.docker(ctx, "commit", vm.container, image)
				return err
			},
			clear: func(ctx context.Context) error {
				_, err := p.docker(ctx, "rmi", image)
				return err
			},
		})
	}
	return measure(ctx, max(1, n/10), contenders)
}

// restoreSnapshots measures going back, and that it is there where one was.
func restoreSnapshots(ctx context.Context, p *places, n int) (table, error) {
	vms, remove, err := p.keep(ctx, sizes)
	defer remove()
	if err != nil {
		return table{}, err
	}
	var contenders []contender
	for _, vm := range vms {
		if err := vm.snapshot(ctx); err != nil {
			return table{}, err
		}
		contenders = append(contenders, contender{
			name:    vm.title("vm/restore"),
			prepare: vm.write,
			do: func(ctx context.Context) error {
				return vm.client.Call(ctx, "vm/restore", map[string]any{"id": vm.name, "snapshot": keptSnapshot}, nil)
			},
			clear: func(ctx context.Context) error {
				e, err := vm.run(ctx, "cat round")
				if err == nil && e.Output != "1\n" {
					err = fmt.Errorf("restored to round %q, want the first", e.Output)
				}
				return err
			},
		})
	}
	return measure(ctx, max(1, n/10), contenders)
}

// forkVMs measures how long it takes to have a second VM like one that runs.
func forkVMs(ctx context.Context, p *places, n int) (table, error) {
	vms, remove, err := p.keep(ctx, forkSizes)
	defer remove()
	if err != nil {
		return table{}, err
	}
	var contenders []contender
	for _, vm := range vms {
		contenders = append(contenders, contender{
			name: vm.title("vm/snapshot and vm/create"),
			do: func(ctx context.Context) error {
				if err := vm.snapshot(ctx); err != nil {
					return err
				}
				return vm.client.Call(ctx, "vm/create", map[string]any{"name": keptFork, "snapshot": vm.name + "/" + keptSnapshot}, nil)
			},
			clear: func(ctx context.Context) error {
				if err := vm.client.Call(ctx, "vm/delete", map[string]any{"id": keptFork, "force": true}, nil); err != nil {
					return err
				}
				return vm.dropSnapshot(ctx)
			},
		})
	}
	return measure(ctx, max(1, n/10), contenders)
}

// Package fake is a driver whose machines are Go values: files in memory,
// programs that are goroutines, limits that are counted. It serves them through
// the guest that real machines have, and passes the suite that real drivers
// pass, so that what is built on drivers can be tested without an engine.
//
// Programs found by name are true, false, echo, cat, sleep, exit and
// print-forever, and the probe's subcommands as in package runtimetest/probe.
// Language is a small language of its own for tests that execute code.
package fake

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime"
)

// Driver makes machines that end with the process.
type Driver struct {
	mu       sync.Mutex // guards machines
	machines map[runtime.Ref]*machine
}

var _ runtime.Driver = (*Driver)(nil)

// New returns a driver without machines.
func New() *Driver { return &Driver{machines: map[runtime.Ref]*machine{}} }

var enforcement = runtime.Enforcement{
	CPU: runtime.Hard, Memory: runtime.Hard, Disk: runtime.Hard, Pids: runtime.Hard, Network: runtime.Hard,
}

// Name implements runtime.Driver.
func (d *Driver) Name() string { return "fake" }

// Probe implements runtime.Driver.
func (d *Driver) Probe(ctx context.Context) (runtime.Features, error) {
	return runtime.Features{
		Version:        "1",
		Enforcement:    enforcement,
		Networks:       []runtime.NetworkMode{runtime.NetworkNone, runtime.NetworkAllowlist},
		HostToolchains: true,
		Snapshots:      runtime.SnapshotInstant,
	}, ctx.Err()
}

// Ready implements runtime.Driver.
func (d *Driver) Ready(ctx context.Context, _ runtime.Spec) error { return ctx.Err() }

// Create implements runtime.Driver. Any image will do.
func (d *Driver) Create(ctx context.Context, spec runtime.Spec, progress runtime.Progress) (runtime.Machine, error) {
	return d.create(ctx, spec, nil, progress)
}

// create makes a machine with files in it.
func (d *Driver) create(ctx context.Context, spec runtime.Spec, files map[string]*file, progress runtime.Progress) (runtime.Machine, error) {
	if err := ctx.Err(); err != nil {
		return runtime.Machine{}, err
	}
	l := spec.Limits
	if l.CPU <= 0 || l.MemoryMiB <= 0 || l.DiskMiB <= 0 || l.Pids <= 0 {
		return runtime.Machine{}, fmt.Errorf("%w: limits %+v", runtime.ErrInvalidSpec, l)
	}
	progress.Report("making the machine", -1)
	m := newMachine(spec)
	m.files.replace(files)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.machines[spec.Ref] != nil {
		return runtime.Machine{}, fmt.Errorf("%w: %s is there already", runtime.ErrInvalidSpec, spec.Ref)
	}
	if err := m.start(); err != nil {
		return runtime.Machine{}, err
	}
	d.machines[spec.Ref] = m
	return m.describe(), nil
}

func (d *Driver) find(ctx context.Context, ref runtime.Ref) (*machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := d.machines[ref]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("%w: %s", runtime.ErrNoMachine, ref)
}

// Start implements runtime.Driver.
func (d *Driver) Start(ctx context.Context, ref runtime.Ref) (runtime.Machine, error) {
	m, err := d.find(ctx, ref)
	if err != nil {
		return runtime.Machine{}, err
	}
	if err := m.start(); err != nil {
		return runtime.Machine{}, err
	}
	return m.describe(), nil
}

// Stop implements runtime.Driver.
func (d *Driver) Stop(ctx context.Context, ref runtime.Ref, grace time.Duration) error {
	m, err := d.find(ctx, ref)
	if err != nil {
		return err
	}
	return m.stop(ctx, grace)
}

// Destroy implements runtime.Driver.
func (d *Driver) Destroy(ctx context.Context, ref runtime.Ref) error {
	m, err := d.find(ctx, ref)
	if err != nil {
		return ctx.Err()
	}
	if err := m.stop(ctx, 0); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.machines, ref)
	return nil
}

// Inspect implements runtime.Driver.
func (d *Driver) Inspect(ctx context.Context, ref runtime.Ref) (runtime.Machine, error) {
	m, err := d.find(ctx, ref)
	if err != nil {
		return runtime.Machine{}, err
	}
	return m.describe(), nil
}

// List implements runtime.Driver; the machines are ordered by VM.
func (d *Driver) List(ctx context.Context, instance string) ([]runtime.Machine, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []runtime.Machine
	for ref, m := range d.machines {
		if ref.Instance == instance {
			list = append(list, m.describe())
		}
	}
	slices.SortFunc(list, func(a, b runtime.Machine) int { return int(a.VM - b.VM) })
	return list, ctx.Err()
}

// Open implements runtime.Driver.
func (d *Driver) Open(ctx context.Context, ref runtime.Ref) (io.ReadWriteCloser, error) {
	m, err := d.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	if err := m.serve(theirs); err != nil {
		ours.Close()
		return nil, err
	}
	return ours, nil
}

// Logs implements runtime.Driver.
func (d *Driver) Logs(ctx context.Context, ref runtime.Ref, tail int) ([]runtime.LogLine, error) {
	m, err := d.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	return m.lastLog(tail), nil
}

// DiskUsage implements runtime.Driver.
func (d *Driver) DiskUsage(ctx context.Context, ref runtime.Ref) (int64, error) {
	m, err := d.find(ctx, ref)
	if err != nil {
		return 0, err
	}
	return m.files.usage(), nil
}

// Close implements runtime.Driver. It does nothing: machines go on, and there is
// nothing beside them.
func (d *Driver) Close() error { return nil }

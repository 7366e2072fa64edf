package native

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/itechsmart/vm/runtime"
)

// Create implements runtime.Driver.
func (d *Driver) Create(ctx context.Context, spec runtime.Spec, progress runtime.Progress) (runtime.Machine, error) {
	if err := d.validate(spec); err != nil {
		return runtime.Machine{}, err
	}
	h, err := d.host()
	if err != nil {
		return runtime.Machine{}, err
	}
	below, err := d.baseFor(ctx, spec, h.identity, progress)
	if err != nil {
		return runtime.Machine{}, err
	}
	r := record{
		Spec: spec, Phase: making, Owner: runtime.Self().String(), Enforcement: h.enforcement(),
		Disk: h.disks, Base: below,
	}
	r.addLayer()
	return d.make(ctx, r, nil)
}

// make makes the machine of a record; fill, unless nil, puts the frozen ones of
// its layers into its empty volume.
func (d *Driver) make(ctx context.Context, r record, fill func(f folder) error) (_ runtime.Machine, err error) {
	h, err := d.host()
	if err != nil {
		return runtime.Machine{}, err
	}
	f, err := claim(d.layout, r)
	if err != nil {
		return runtime.Machine{}, err
	}
	defer func() {
		if err != nil {
			// Whatever has been made goes, also when the caller is in a hurry.
			err = errors.Join(err, d.Destroy(context.WithoutCancel(ctx), r.Spec.Ref))
		}
	}()
	if err := prepareVolume(ctx, d.layout, f, r, h.identity); err != nil {
		return runtime.Machine{}, err
	}
	if fill != nil {
		if err := fill(f); err != nil {
			return runtime.Machine{}, err
		}
	}
	if err := d.boot(ctx, f, &r, false); err != nil {
		return runtime.Machine{}, err
	}
	return r.machine(f), nil
}

// Start implements runtime.Driver.
func (d *Driver) Start(ctx context.Context, ref runtime.Ref) (runtime.Machine, error) {
	f := d.layout.machine(ref)
	r, err := readRecord(ref, f)
	if err != nil {
		return runtime.Machine{}, err
	}
	switch r.state() {
	case runtime.Running:
		return r.machine(f), nil
	case runtime.Partial:
		return runtime.Machine{}, fmt.Errorf("%s is half-made and can only be removed: %w", ref, runtime.ErrNotRunning)
	}
	// A machine that ended by itself left its cgroup behind.
	if err := d.release(f, r); err != nil {
		return runtime.Machine{}, err
	}
	if err := d.boot(ctx, f, &r, false); err != nil {
		return runtime.Machine{}, errors.Join(err, d.halt(f, &r))
	}
	return r.machine(f), nil
}

// Ready implements runtime.Driver.
func (d *Driver) Ready(ctx context.Context, spec runtime.Spec) error {
	if _, err := d.host(); err != nil {
		return err
	}
	if spec.Image == "" {
		return nil
	}
	return d.images.Has(spec.Image)
}

// validate refuses what no machine of this driver could be.
func (d *Driver) validate(spec runtime.Spec) error {
	l := spec.Limits
	switch {
	case spec.Instance == "":
		return fmt.Errorf("machine without an instance: %w", runtime.ErrInvalidSpec)
	case !(l.CPU >= 0.01) || math.IsInf(l.CPU, 0): // the kernel's smallest quota is 1 ms in 100 ms
		return fmt.Errorf("CPU limit of %v cores: %w", l.CPU, runtime.ErrInvalidSpec)
	case l.MemoryMiB < 1 || l.DiskMiB < 1 || l.Pids < 1:
		return fmt.Errorf("limits of %d MiB memory, %d MiB disk, %d processes: %w",
			l.MemoryMiB, l.DiskMiB, l.Pids, runtime.ErrInvalidSpec)
	case spec.Isolation != "":
		return runtime.WithHint(fmt.Errorf("the native runtime has no isolation %q: %w", spec.Isolation, runtime.ErrNotEnforceable),
			"leave isolation out, or use the docker runtime with an engine that has it")
	}
	return d.validateNetwork(spec.Network.Mode)
}

func (d *Driver) validateNetwork(mode runtime.NetworkMode) error {
	switch mode {
	case "", runtime.NetworkNone, runtime.NetworkAllowlist:
		return nil
	case runtime.NetworkFull:
		if err := d.noUplink(); err != nil {
			return runtime.WithHint(fmt.Errorf("the native runtime gives no network of mode full: %w: %w", err, runtime.ErrNotEnforceable),
				runtime.Hint(err))
		}
		return nil
	}
	return fmt.Errorf("there is no network mode %q: %w", mode, runtime.ErrInvalidSpec)
}

// baseFor returns what is below a machine's own files. An image is pulled and
// unpacked if it is not here.
func (d *Driver) baseFor(ctx context.Context, spec runtime.Spec, id identity, progress runtime.Progress) (base, error) {
	if spec.Image == "" {
		return d.hostBase(id)
	}
	return d.imageBase(ctx, spec.Image, id, progress)
}

// prepareVolume makes an empty disk or folder for the machine's files.
func prepareVolume(ctx context.Context, l layout, f folder, r record, id identity) error {
	if err := os.Mkdir(f.volume(), 0o700); err != nil {
		return fmt.Errorf("make the volume: %w", err)
	}
	if !r.Disk {
		return nil
	}
	return makeDisk(ctx, l.pristine(), f.disk(), r.Spec.Limits.DiskMiB, id.root)
}

// environment is what every program of the machine gets; later ones win.
func (r record) environment() []string {
	env := append([]string{"USER=" + sandboxName, "LOGNAME=" + sandboxName}, r.Base.Env...)
	own := len(env)
	for key, value := range r.Spec.Env {
		env = append(env, key+"="+value)
	}
	slices.Sort(env[own:])
	return env
}

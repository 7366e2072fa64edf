package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
)

// probeInstance is the instance of the machines that Probe makes; no database
// has it, as its own are longer.
const probeInstance = "probe"

// Probe implements runtime.Driver. The first call makes a machine and removes
// it: there are too many ways in which a kernel can refuse a part of one.
func (d *Driver) Probe(ctx context.Context) (runtime.Features, error) {
	h, err := d.host()
	if err != nil {
		return runtime.Features{}, err
	}
	d.probing.Lock()
	defer d.probing.Unlock()
	if d.probed != nil {
		return *d.probed, nil
	}
	if err := d.sweepProbes(ctx); err != nil {
		return runtime.Features{}, err
	}
	spec := runtime.Spec{
		Ref:    runtime.Ref{Instance: probeInstance, VM: int64(os.Getpid())},
		Name:   "probe",
		Limits: runtime.Limits{CPU: 1, MemoryMiB: 64, DiskMiB: 16, Pids: 16},
	}
	examined := make(chan error, 1)
	go func() { examined <- d.noUplink() }() // beside, for it takes as long as a quarter of a machine
	if _, err := d.Create(ctx, spec, nil); err != nil {
		return runtime.Features{}, probeError(ctx, err)
	}
	if err := d.Destroy(context.WithoutCancel(ctx), spec.Ref); err != nil {
		return runtime.Features{}, fmt.Errorf("remove the machine of a trial: %w", err)
	}
	d.probed = &runtime.Features{
		Version:        "Linux " + kernelRelease(),
		Enforcement:    h.enforcement(),
		Networks:       []runtime.NetworkMode{runtime.NetworkNone, runtime.NetworkAllowlist},
		HostToolchains: true,
		Snapshots:      h.snapshots(),
		HostPath:       findToolchains(d.path, os.Getenv).searchPath(),
		Notes:          h.notes,
	}
	tellUplinks(d.probed, <-examined)
	return *d.probed, nil
}

// tellUplinks says whether machines can have uplinks.
func tellUplinks(f *runtime.Features, missing error) {
	if missing == nil {
		f.Networks = append(f.Networks, runtime.NetworkFull)
		return
	}
	note := runtime.Note{
		Problem: "The network mode full cannot be given: " + missing.Error() + ".",
		Mend:    runtime.Hint(missing),
	}
	f.Refused = map[runtime.NetworkMode]runtime.Note{runtime.NetworkFull: note}
	f.Notes = append(slices.Clone(f.Notes), note)
}

func probeError(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, runtime.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("a trial machine could not be made: %w: %w", err, runtime.ErrUnavailable)
}

// sweepProbes removes the machines of probes that were interrupted, and folders
// that were to become machines when their maker died.
func (d *Driver) sweepProbes(ctx context.Context) error {
	machines, err := d.List(ctx, probeInstance)
	if err != nil {
		return err
	}
	for _, m := range machines {
		if m.Owner.Gone() {
			if err := d.Destroy(ctx, m.Ref); err != nil {
				return err
			}
		}
	}
	return sweepClaims(d.layout)
}

func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

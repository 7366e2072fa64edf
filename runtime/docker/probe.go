package docker

import (
	"context"
	"fmt"

	"github.com/itechsmart/vm/runtime"
)

// Probe implements runtime.Driver.
func (d *Driver) Probe(ctx context.Context) (runtime.Features, error) {
	// A ping tells an engine that is not there from one that fails.
	if _, err := d.cli.Ping(ctx); err != nil {
		return runtime.Features{}, d.explain(ctx, "docker engine", err)
	}
	e, err := d.engine(ctx)
	if err != nil {
		return runtime.Features{}, err
	}
	return runtime.Features{
		Version:     e.version,
		Enforcement: e.enforcement(),
		Networks:    []runtime.NetworkMode{runtime.NetworkNone, runtime.NetworkAllowlist, runtime.NetworkFull},
		Isolations:  e.runtimes,
		Snapshots:   runtime.SnapshotCopied,
		Notes:       e.notes(),
	}, nil
}

// notes says what is weaker on this engine than it could be.
func (e engine) notes() []runtime.Note {
	var notes []runtime.Note
	note := func(weak bool, problem, mend string) {
		if weak {
			notes = append(notes, runtime.Note{Problem: problem, Mend: mend})
		}
	}
	note(!e.diskLimit, fmt.Sprintf("disk limits are watched, not hard: the storage driver %s", e.storageName()),
		"keep the engine's data on XFS mounted with pquota, or on btrfs")
	note(!e.cpuLimit, "CPU limits are not held: the kernel lacks CFS bandwidth control, or the engine may not use it", e.cgroupMend())
	note(!e.memLimit, "memory limits are not held: the engine has no memory cgroup", e.cgroupMend())
	note(e.memLimit && !e.swapLimit, "swap is not counted: a machine may swap beyond its memory limit",
		"boot with swapaccount=1, or switch swap off")
	note(!e.pidsLimit, "process limits are not held: the engine has no pids cgroup", e.cgroupMend())
	note(e.seccompOff, "the engine filters no system calls", "install libseccomp and start the engine with its default profile")
	return notes
}

func (e engine) storageName() string {
	if e.backing == "" {
		return e.storage + " takes no size"
	}
	return fmt.Sprintf("%s on %s takes no size", e.storage, e.backing)
}

func (e engine) cgroupMend() string {
	if e.rootless {
		return "delegate the cgroup controllers to your user (systemd, cgroup v2), or run the engine as root"
	}
	return "boot with the cgroup controllers cpu, memory and pids enabled"
}

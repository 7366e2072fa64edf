package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"github.com/itechsmart/vm/runtime"
)

// cleanupTimeout bounds what is still done for a call whose context has ended.
const cleanupTimeout = 30 * time.Second

// Create implements runtime.Driver.
func (d *Driver) Create(ctx context.Context, spec runtime.Spec, progress runtime.Progress) (runtime.Machine, error) {
	return d.create(ctx, spec, spec.Image, progress)
}

// create makes a machine of an image, which may be a snapshot of another
// machine of spec.Image.
func (d *Driver) create(ctx context.Context, spec runtime.Spec, source string, progress runtime.Progress) (runtime.Machine, error) {
	if err := validate(spec); err != nil {
		return runtime.Machine{}, err
	}
	e, err := d.engine(ctx)
	if err != nil {
		return runtime.Machine{}, err
	}
	if err := e.accept(spec); err != nil {
		return runtime.Machine{}, err
	}
	from, err := d.ensureImage(ctx, e, source, progress)
	if err != nil {
		return runtime.Machine{}, err
	}
	progress.Report("making container", -1)
	id, err := d.createContainer(ctx, spec, e, from)
	if errdefs.IsNotFound(err) { // removed meanwhile
		return runtime.Machine{}, d.noImage(source)
	}
	if err != nil {
		return runtime.Machine{}, d.explain(ctx, "create "+spec.Ref.String(), err)
	}
	machine, err := d.startNew(ctx, id, from.ID, spec, e, progress)
	if err != nil {
		d.discard(ctx, id)
		return runtime.Machine{}, d.explain(ctx, "start "+spec.Ref.String(), err)
	}
	return machine, nil
}

// accept refuses what this engine would silently do otherwise.
func (e engine) accept(spec runtime.Spec) error {
	if spec.Isolation != "" && !slices.Contains(e.runtimes, spec.Isolation) {
		err := fmt.Errorf("%w: the docker engine has no runtime %q, only %s",
			runtime.ErrNotEnforceable, spec.Isolation, strings.Join(e.runtimes, ", "))
		return runtime.WithHint(err, "install it and add it to \"runtimes\" in the engine's daemon.json")
	}
	switch spec.Network.Mode {
	case runtime.NetworkNone, runtime.NetworkAllowlist, runtime.NetworkFull:
		return nil
	}
	return fmt.Errorf("%w: network %q on the docker engine", runtime.ErrNotEnforceable, spec.Network.Mode)
}

// createContainer makes the container and returns its id. It is not given up
// half-way: an engine that is told to stop may finish nevertheless, and a
// container whose id is unknown could not be removed.
func (d *Driver) createContainer(ctx context.Context, spec runtime.Spec, e engine, from image.InspectResponse) (string, error) {
	volume, err := agentVolumeName(e.arch)
	if err != nil {
		return "", err
	}
	held := e.enforcement()
	config, err := containerConfig(spec, held, e, time.Now())
	if err != nil {
		return "", err
	}
	if from.Config != nil && from.Config.Labels[labelSnapshot] != "" {
		config.Image = from.ID
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	created, err := d.cli.ContainerCreate(lasting, config, hostConfig(spec, held, e, from.Size, volume), nil, nil, spec.Ref.String())
	if err != nil {
		return "", err
	}
	return created.ID, nil
}

// startNew starts a new machine's container and describes the machine.
func (d *Driver) startNew(
	ctx context.Context, id, imageID string, spec runtime.Spec, e engine, progress runtime.Progress,
) (runtime.Machine, error) {
	if spec.Network.Mode == runtime.NetworkFull {
		progress.Report("keeping its network apart", -1)
		if err := d.ensureNetwork(ctx, spec.Instance, imageID); err != nil {
			return runtime.Machine{}, err
		}
	}
	progress.Report("starting container", -1)
	if err := d.start(ctx, id); err != nil {
		return runtime.Machine{}, err
	}
	if spec.Network.Mode == runtime.NetworkFull {
		return d.Inspect(ctx, spec.Ref) // the engine chose an address
	}
	return runtime.Machine{
		Ref: spec.Ref, State: runtime.Running, ID: id, Image: spec.Image,
		Enforcement: e.enforcement(), Owner: runtime.Self(),
	}, nil
}

// start starts a container, mending what may have been taken from under it.
// Trying first costs nothing when nothing was.
func (d *Driver) start(ctx context.Context, id string) error {
	const attempts = 3 // a neighbour may be filling the volume, or dropping the network, just now
	var err error
	for range attempts {
		err = d.cli.ContainerStart(ctx, id, container.StartOptions{})
		if ctx.Err() != nil || !agentMissing(err) && !networkMissing(err) {
			return err
		}
		if mendErr := d.mend(ctx, id, err); mendErr != nil {
			return mendErr
		}
	}
	return err
}

// mend puts back what a container did not start without.
func (d *Driver) mend(ctx context.Context, id string, startErr error) error {
	found, err := d.cli.ContainerInspect(ctx, id)
	if err != nil {
		return err
	}
	if networkMissing(startErr) {
		return d.ensureNetwork(ctx, found.Config.Labels[labelInstance], found.Image)
	}
	d.agentMu.Lock()
	defer d.agentMu.Unlock()
	for _, m := range found.HostConfig.Mounts {
		if m.Target == agentDir {
			return d.fillAgentVolume(ctx, m.Source, found.Image)
		}
	}
	return startErr
}

// discard removes a container for good, also when ctx has ended. Its error is
// not the caller's: what is left is found by its labels.
func (d *Driver) discard(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	_ = d.remove(ctx, id)
}

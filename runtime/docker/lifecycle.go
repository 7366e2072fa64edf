package docker

import (
	"context"
	"math"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/itechsmart/vm/runtime"
)

// Start implements runtime.Driver.
func (d *Driver) Start(ctx context.Context, ref runtime.Ref) (runtime.Machine, error) {
	err := d.reconnect(ctx, ref)
	if err == nil {
		err = d.start(ctx, ref.String())
	}
	if err != nil {
		return runtime.Machine{}, d.explain(ctx, "start "+ref.String(), err)
	}
	return d.Inspect(ctx, ref)
}

// reconnect makes sure of the bridge of a machine that is about to be started, if
// it is on one.
func (d *Driver) reconnect(ctx context.Context, ref runtime.Ref) error {
	found, err := d.cli.ContainerInspect(ctx, ref.String())
	if err != nil || found.State.Running || found.Config.Labels[labelNetwork] != string(runtime.NetworkFull) {
		return err
	}
	return d.ensureNetwork(ctx, ref.Instance, found.Image)
}

// Stop implements runtime.Driver.
func (d *Driver) Stop(ctx context.Context, ref runtime.Ref, grace time.Duration) error {
	var err error
	if grace <= 0 {
		err = d.cli.ContainerKill(ctx, ref.String(), "SIGKILL")
		if errdefs.IsConflict(err) {
			err = nil // it does not run
		}
	} else {
		seconds := int(math.Ceil(grace.Seconds()))
		err = d.cli.ContainerStop(ctx, ref.String(), container.StopOptions{Timeout: &seconds})
	}
	return d.explain(ctx, "stop "+ref.String(), err)
}

// Destroy implements runtime.Driver.
func (d *Driver) Destroy(ctx context.Context, ref runtime.Ref) error {
	for _, end := range []string{incoming, outgoing} {
		if err := d.remove(ctx, ref.String()+end); err != nil {
			return d.explain(ctx, "destroy "+ref.String(), err)
		}
	}
	found, err := d.cli.ContainerInspect(ctx, ref.String())
	if errdefs.IsNotFound(err) {
		return d.explain(ctx, "destroy "+ref.String(), d.dropSnapshots(ctx, ref))
	}
	if err == nil {
		err = d.remove(ctx, found.ID)
	}
	if err == nil && found.Config.Labels[labelNetwork] == string(runtime.NetworkFull) {
		err = d.dropNetwork(ctx, ref.Instance, found.Image)
	}
	if err == nil {
		d.dropUnused(ctx, found.Image)
		err = d.dropSnapshots(ctx, ref)
	}
	return d.explain(ctx, "destroy "+ref.String(), err)
}

// remove ends and removes a container with the volumes that its image asked
// for; one that is not there is no error.
func (d *Driver) remove(ctx context.Context, id string) error {
	err := d.cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if errdefs.IsConflict(err) { // somebody else is removing it
		err = d.awaitRemoval(ctx, id)
	}
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

func (d *Driver) awaitRemoval(ctx context.Context, id string) error {
	removed, failed := d.cli.ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case <-removed:
		return nil
	case err := <-failed:
		return err
	}
}

// Inspect implements runtime.Driver.
func (d *Driver) Inspect(ctx context.Context, ref runtime.Ref) (runtime.Machine, error) {
	found, err := d.cli.ContainerInspect(ctx, ref.String())
	if err != nil {
		return runtime.Machine{}, d.explain(ctx, "inspect "+ref.String(), err)
	}
	machine, ours := machineFromLabels(found.Config.Labels)
	if !ours {
		return runtime.Machine{}, d.explain(ctx, "inspect "+ref.String(), errdefs.ErrNotFound)
	}
	machine.ID = found.ID
	machine.State = state(found.State.Status)
	machine.IP = address(found.NetworkSettings.Networks)
	return machine, nil
}

// List implements runtime.Driver.
func (d *Driver) List(ctx context.Context, instance string) ([]runtime.Machine, error) {
	found, err := d.cli.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", labelInstance+"="+instance)),
	})
	if err != nil {
		return nil, d.explain(ctx, "list machines", err)
	}
	machines := make([]runtime.Machine, 0, len(found))
	for _, c := range found {
		machine, ours := machineFromLabels(c.Labels)
		if !ours {
			continue
		}
		machine.ID = c.ID
		machine.State = state(c.State)
		if c.NetworkSettings != nil {
			machine.IP = address(c.NetworkSettings.Networks)
		}
		machines = append(machines, machine)
	}
	return machines, nil
}

// state translates an engine's: a container that was never started, or is on
// its way out, can only be destroyed.
func state(status container.ContainerState) runtime.State {
	switch status {
	case container.StateRunning, container.StatePaused, container.StateRestarting:
		return runtime.Running
	case container.StateExited:
		return runtime.Stopped
	}
	return runtime.Partial
}

func address(networks map[string]*network.EndpointSettings) string {
	for _, endpoint := range networks {
		if endpoint != nil && endpoint.IPAddress != "" {
			return endpoint.IPAddress
		}
	}
	return ""
}

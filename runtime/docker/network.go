package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/itechsmart/vm/runtime"
)

// networkName names the bridge that an instance's machines with a network
// share, and the fence around it. They reach the outside, not each other.
func networkName(instance string) string { return "itechsmart-" + instance }

// ensureNetwork makes the instance's bridge unless it is there, and the fence
// around it. It is called when the machine's container exists and does not run.
func (d *Driver) ensureNetwork(ctx context.Context, instance, imageID string) error {
	name := networkName(instance)
	_, err := d.cli.NetworkCreate(ctx, name, network.CreateOptions{
		Driver: "bridge",
		Options: map[string]string{
			optionBridge:                           bridgeName(instance),
			"com.docker.network.bridge.enable_icc": "false",
		},
		Labels: map[string]string{labelInstance: instance, labelOwner: runtime.Self().String()},
	})
	if err != nil && !errdefs.IsConflict(err) && !errdefs.IsPermissionDenied(err) {
		return err
	}
	// There is one, perhaps of a release that knew no fence.
	made, err := d.cli.NetworkInspect(ctx, name, network.InspectOptions{})
	if err != nil {
		return err
	}
	if made.Options[optionBridge] != bridgeName(instance) {
		return runtime.WithHint(fmt.Errorf("%w: the docker network %s is not fenced in", runtime.ErrNotEnforceable, name),
			"delete the VMs that are on it: the next one makes it anew")
	}
	return d.raiseFence(ctx, instance, imageID)
}

// optionBridge is the engine's word for the name of a bridge's device.
const optionBridge = "com.docker.network.bridge.name"

// dropNetwork removes the instance's bridge and its fence when no machine, stopped
// ones included, is on it any more. One that is being made meanwhile makes them
// anew.
func (d *Driver) dropNetwork(ctx context.Context, instance, imageID string) error {
	users, err := d.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", labelInstance+"="+instance),
		filters.Arg("label", labelNetwork+"="+string(runtime.NetworkFull)),
	)})
	if err != nil || len(users) > 0 {
		return err
	}
	err = d.cli.NetworkRemove(ctx, networkName(instance))
	if errdefs.IsConflict(err) || errdefs.IsPermissionDenied(err) {
		return nil // in use again
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	return d.lowerFence(ctx, instance, imageID)
}

// networkMissing reports whether a container did not start because its network
// had just been dropped.
func networkMissing(err error) bool {
	return err != nil && strings.Contains(err.Error(), "network") && strings.Contains(err.Error(), "not found")
}

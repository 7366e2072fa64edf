package docker

import (
	"context"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/itechsmart/vm/runtime"
)

// networkName names the bridge that an instance's machines with a network
// share. They reach the outside, not each other.
func networkName(instance string) string { return "itechsmart-" + instance }

// ensureNetwork makes the instance's bridge unless it is there.
func (d *Driver) ensureNetwork(ctx context.Context, instance string) error {
	_, err := d.cli.NetworkCreate(ctx, networkName(instance), network.CreateOptions{
		Driver:  "bridge",
		Options: map[string]string{"com.docker.network.bridge.enable_icc": "false"},
		Labels:  map[string]string{labelInstance: instance, labelOwner: runtime.Self().String()},
	})
	if errdefs.IsConflict(err) {
		return nil
	}
	return err
}

// dropNetwork removes the instance's bridge when no machine, stopped ones
// included, is on it any more. One that is being made meanwhile makes it anew.
func (d *Driver) dropNetwork(ctx context.Context, instance string) error {
	users, err := d.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", labelInstance+"="+instance),
		filters.Arg("label", labelNetwork+"="+string(runtime.NetworkFull)),
	)})
	if err != nil || len(users) > 0 {
		return err
	}
	err = d.cli.NetworkRemove(ctx, networkName(instance))
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) || errdefs.IsPermissionDenied(err) {
		return nil // gone already, or in use again
	}
	return err
}

// networkMissing reports whether a container did not start because its network
// had just been dropped.
func networkMissing(err error) bool {
	return err != nil && strings.Contains(err.Error(), "network") && strings.Contains(err.Error(), "not found")
}

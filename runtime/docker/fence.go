package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent/fence"
)

// bridgeName names the device of an instance's bridge on the engine's host.
func bridgeName(instance string) string {
	sum := sha256.Sum256([]byte(instance))
	return fence.MachineBridge + hex.EncodeToString(sum[:4])
}

// raiseFence keeps what is on an instance's bridge away from the engine's host,
// link-local addresses and metadata services. The engine's rules for its bridges
// do not: they let containers reach whatever the host offers.
//
// It is done by a container in the host's own network, for the engine may be on
// another host, and this process anybody. It is done at every start, because a
// host forgets its packet filter when it is booted.
func (d *Driver) raiseFence(ctx context.Context, instance, imageID string) error {
	said, err := d.fence(ctx, "raise", instance, imageID)
	if err == nil && said != "" {
		err = runtime.WithHint(fmt.Errorf("%w: the docker engine's host cannot be kept out of reach of VMs with the network mode full: %s",
			runtime.ErrNotEnforceable, said),
			"load the kernel's modules nf_tables, nft_ct and nft_reject_inet there, or use the network mode allowlist")
	}
	return err
}

// lowerFence removes an instance's fence when there is no bridge of it.
func (d *Driver) lowerFence(ctx context.Context, instance, imageID string) error {
	said, err := d.fence(ctx, "lower", instance, imageID)
	if errdefs.IsNotFound(err) {
		return nil // no image is left to do it with; a fence around nothing is in nobody's way
	}
	if err == nil && said != "" {
		err = fmt.Errorf("remove the fence of VMs: %s", said)
	}
	return err
}

// fence runs the agent's fence command in the network of the engine's host, and
// returns what it said if it failed.
func (d *Driver) fence(ctx context.Context, action, instance, imageID string) (said string, err error) {
	rules, err := json.Marshal(fence.Rules{Name: networkName(instance), Device: bridgeName(instance)})
	if err != nil {
		return "", err
	}
	from, err := d.cli.ImageInspect(ctx, imageID)
	if err != nil {
		return "", err
	}
	volume, err := agentVolumeName(from.Architecture)
	if err != nil {
		return "", err
	}
	helper, err := d.createHelper(ctx, imageID, []string{"fence", action, "-rules", string(rules)}, &container.HostConfig{
		NetworkMode:    "host",
		UsernsMode:     "host", // whose root has rights on the host's network
		CapDrop:        []string{"ALL"},
		CapAdd:         []string{"NET_ADMIN"},
		SecurityOpt:    []string{"no-new-privileges"},
		ReadonlyRootfs: true,
		LogConfig:      container.LogConfig{Type: "json-file"},
		Mounts: []mount.Mount{{
			Type: mount.TypeVolume, Source: volume, Target: agentDir, ReadOnly: true,
			VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: map[string]string{labelAgent: volume}},
		}},
	})
	if err != nil {
		return "", err
	}
	defer d.discard(ctx, helper)
	if err := d.start(ctx, helper); err != nil {
		return "", err
	}
	return d.awaitHelper(ctx, helper)
}

// awaitHelper waits for a helper's end and returns the last that it said if it
// failed.
func (d *Driver) awaitHelper(ctx context.Context, id string) (said string, err error) {
	ended, failed := d.cli.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case end := <-ended:
		if end.StatusCode == 0 {
			return "", nil
		}
	case err := <-failed:
		return "", err
	}
	lines, err := d.console(ctx, id, 1)
	if err != nil {
		return "", err
	}
	said = "the helper failed without a word"
	if len(lines) > 0 {
		said = strings.TrimPrefix(lines[len(lines)-1].Text, "vm-agent: ")
	}
	return said, nil
}

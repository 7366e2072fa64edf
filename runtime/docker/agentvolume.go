package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/uuid"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// labelHelper marks a container that lives for one call.
const labelHelper = "itechsmart.helper"

// agentVolumeName names the volume by its content: another release of the agent
// gets another volume, and running machines keep theirs.
func agentVolumeName(arch string) (string, error) {
	digest, err := agent.Digest(arch)
	if err != nil {
		return "", err
	}
	return "itechsmart-agent-" + digest[:12], nil
}

// fillAgentVolume puts the agent into its volume by way of a helper container,
// which works with a remote engine too. Doing it again does no harm, also at the
// same time: running agents keep the file that they were started from.
func (d *Driver) fillAgentVolume(ctx context.Context, name, imageID string) error {
	from, err := d.cli.ImageInspect(ctx, imageID)
	if err != nil {
		return err
	}
	program, err := agent.Binary(from.Architecture)
	if err != nil {
		return err
	}
	packed, err := packAgent(program)
	if err != nil {
		return err
	}
	d.removeDeadHelpers(ctx)
	d.removeUnusedAgents(ctx)
	helper, err := d.createHelper(ctx, imageID, nil, &container.HostConfig{
		NetworkMode: "none",
		Mounts: []mount.Mount{{
			Type: mount.TypeVolume, Source: name, Target: agentDir,
			VolumeOptions: &mount.VolumeOptions{NoCopy: true},
		}},
	})
	if err != nil {
		return err
	}
	defer d.discard(ctx, helper)
	return d.cli.CopyToContainer(ctx, helper, agentDir, packed, container.CopyToContainerOptions{})
}

// packAgent makes an archive in which the agent gets its name last: whoever
// finds the name finds the whole program, however early the copying ended.
func packAgent(program []byte) (*bytes.Buffer, error) {
	const incoming = "vm-agent.incoming"
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	headers := []*tar.Header{
		{Typeflag: tar.TypeReg, Name: incoming, Mode: 0o755, Size: int64(len(program))},
		{Typeflag: tar.TypeLink, Name: "vm-agent", Linkname: incoming, Mode: 0o755},
	}
	for _, header := range headers {
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if header.Typeflag == tar.TypeReg {
			if _, err := w.Write(program); err != nil {
				return nil, err
			}
		}
	}
	return &packed, w.Close()
}

// createHelper makes a container of the agent, with arguments if it is to be
// started. The caller discards it.
func (d *Driver) createHelper(ctx context.Context, imageID string, args []string, host *container.HostConfig) (string, error) {
	labels := map[string]string{labelHelper: "true", labelOwner: runtime.Self().String()}
	helper, err := d.cli.ContainerCreate(ctx,
		&container.Config{Image: imageID, Entrypoint: append([]string{agentPath}, args...), User: "0:0", Labels: labels},
		host, nil, nil, helperName())
	if err != nil {
		return "", fmt.Errorf("make helper container: %w", err)
	}
	return helper.ID, nil
}

// helperPrefix begins the names of containers that are made for a purpose of the
// driver's own; their label tells by whom.
const helperPrefix = "itechsmart-helper-"

func helperName() string { return helperPrefix + uuid.NewString() }

// removeDeadHelpers removes helpers whose makers died before they could.
func (d *Driver) removeDeadHelpers(ctx context.Context) {
	found, err := d.cli.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("name", "^"+helperPrefix)),
	})
	if err != nil {
		return // the next filling finds them
	}
	for _, helper := range found {
		if runtime.ParseOwner(helper.Labels[labelOwner]).Gone() {
			d.discard(ctx, helper.ID)
		}
	}
}

// removeUnusedAgents removes the volumes of other releases that no machine is
// left with. One that a neighbour still wants is filled again when it does.
func (d *Driver) removeUnusedAgents(ctx context.Context) {
	found, err := d.cli.VolumeList(ctx, volume.ListOptions{
		Filters: filters.NewArgs(filters.Arg("label", labelAgent), filters.Arg("dangling", "true")),
	})
	if err != nil {
		return
	}
	for _, unused := range found.Volumes {
		_ = d.cli.VolumeRemove(ctx, unused.Name, false) // refused when it has come into use
	}
}

// agentMissing reports whether a container did not start because its agent was
// not in the volume: a new engine, or a volume that somebody pruned.
func agentMissing(err error) bool {
	return err != nil && strings.Contains(err.Error(), agentPath)
}

package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"github.com/itechsmart/vm/runtime"
)

// A snapshot of a machine that was put back to a snapshot lies on that one's
// image, whether or not the snapshot is there still. An engine stacks 125 layers
// at most, and keeps all that is in each; so a stack that has become high is
// poured into one.

// standardHighStack is how many layers the image of a snapshot may have.
const standardHighStack = 60

// flattened names the image in between; an interrupted one counts as a snapshot that
// was never recorded.
const flattened = "flattened"

// flatten gives the snapshot of a high stack an image of few layers: the same
// files with the same configuration.
func (d *Driver) flatten(ctx context.Context, ref runtime.Ref, name, id string, progress runtime.Progress) error {
	found, err := d.cli.ImageInspect(ctx, id)
	if err != nil || len(found.RootFS.Layers) <= d.highStack {
		return err
	}
	progress.Report("pouring layers into one", -1)
	flat := snapshotTag(ref, flattened)
	if err := d.pour(ctx, id, flat); err != nil {
		return err
	}
	err = d.configure(ctx, flat, snapshotTag(ref, name), found)
	if err == nil {
		d.dropUnused(ctx, id)
	}
	return errors.Join(err, d.dropSnapshot(ctx, flat, flat)) // its name; the files are the snapshot's
}

// configure makes an image with the files of another, which has no configuration,
// and gives it a name.
func (d *Driver) configure(ctx context.Context, from, name string, like image.InspectResponse) error {
	c := like.Config
	config := container.Config{
		User: c.User, Env: c.Env, Entrypoint: c.Entrypoint, Cmd: c.Cmd, Volumes: c.Volumes,
		WorkingDir: c.WorkingDir, Labels: c.Labels, StopSignal: c.StopSignal, Shell: c.Shell,
	}
	// A commit takes over what the container has and the configuration does not, so
	// this helper is not labelled as one: its image would be.
	helper, err := d.cli.ContainerCreate(ctx,
		&container.Config{Image: from, Entrypoint: []string{agentPath}, Labels: map[string]string{labelOwner: runtime.Self().String()}},
		&container.HostConfig{NetworkMode: "none"}, nil, nil, helperName())
	if err != nil {
		return err
	}
	defer d.discard(ctx, helper.ID)
	_, err = d.cli.ContainerCommit(ctx, helper.ID, container.CommitOptions{Reference: name, Config: &config})
	return err
}

// pour makes an image of one layer, of a name, from all the files of another.
func (d *Driver) pour(ctx context.Context, id, name string) error {
	source, err := d.createHelper(ctx, id, nil, &container.HostConfig{NetworkMode: "none"})
	if err != nil {
		return err
	}
	defer d.discard(ctx, source)
	files, err := d.cli.ContainerExport(ctx, source)
	if err != nil {
		return err
	}
	defer func() { _ = files.Close() }()
	report, err := d.cli.ImageImport(ctx, image.ImportSource{Source: files, SourceName: "-"}, name, image.ImportOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = report.Close() }()
	for lines := json.NewDecoder(report); ; {
		var line struct {
			Error string `json:"error"`
		}
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("import: %w", err)
		case line.Error != "":
			return fmt.Errorf("import: %s", line.Error)
		}
	}
}

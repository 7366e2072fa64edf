package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"github.com/itechsmart/vm/runtime"
)

// Ready implements runtime.Driver.
func (d *Driver) Ready(ctx context.Context, spec runtime.Spec) error {
	if spec.Image == "" {
		return runtime.WithHint(fmt.Errorf("%w: a container needs an image", runtime.ErrUnavailable), "name an image")
	}
	_, err := d.localImage(ctx, spec.Image)
	return err
}

// localImage finds an image on the engine. It fails with ErrUnavailable and the
// command that gets it.
func (d *Driver) localImage(ctx context.Context, name string) (image.InspectResponse, error) {
	found, err := d.cli.ImageInspect(ctx, name)
	if ctx.Err() == nil && errdefs.IsNotFound(err) {
		return found, d.noImage(name)
	}
	return found, d.explain(ctx, "image "+name, err)
}

func (d *Driver) noImage(name string) error {
	err := fmt.Errorf("%w: image %s is not on the docker engine", runtime.ErrUnavailable, name)
	return runtime.WithHint(err, d.pullCommand(name))
}

func (d *Driver) pullCommand(name string) string {
	if d.host != "" {
		return fmt.Sprintf("docker --host %s pull %s", d.host, name)
	}
	return "docker pull " + name
}

// ensureImage returns the image, pulling it when it is not there, and makes
// sure that the engine can run its programs.
func (d *Driver) ensureImage(ctx context.Context, e engine, name string, progress runtime.Progress) (image.InspectResponse, error) {
	found, err := d.cli.ImageInspect(ctx, name)
	if ctx.Err() == nil && errdefs.IsNotFound(err) {
		if err := d.pull(ctx, name, progress); err != nil {
			return found, err
		}
		found, err = d.cli.ImageInspect(ctx, name)
	}
	if err != nil {
		return found, d.explain(ctx, "image "+name, err)
	}
	if found.Architecture != e.arch || found.Os != "linux" {
		err := fmt.Errorf("%w: image %s is for %s/%s, the docker engine runs linux/%s",
			runtime.ErrUnavailable, name, found.Os, found.Architecture, e.arch)
		return found, runtime.WithHint(err, fmt.Sprintf("docker pull --platform linux/%s %s", e.arch, name))
	}
	return found, nil
}

// pull fetches an image. When ctx ends, the engine stops and forgets the layers
// that it has not finished.
func (d *Driver) pull(ctx context.Context, name string, progress runtime.Progress) error {
	progress.Report("pulling "+name, 0)
	body, err := d.cli.ImagePull(ctx, name, image.PullOptions{})
	if err == nil {
		err = followPull(body, name, progress)
		body.Close()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("pull %s: %w", name, ctx.Err())
	case unreachable(err):
		return d.unavailable(err)
	}
	err = fmt.Errorf("%w: image %s cannot be pulled: %w", runtime.ErrUnavailable, name, err)
	return runtime.WithHint(err, "check the name and the registry: "+d.pullCommand(name))
}

// pullMessage is one line of an engine's answer to a pull.
type pullMessage struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Progress struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
	Error string `json:"error"`
}

// followPull reports a pull until it ends, with the error that it ended with.
func followPull(messages io.Reader, name string, progress runtime.Progress) error {
	decoder := json.NewDecoder(messages)
	layers := pullLayers{}
	reported := 0.0
	for {
		var message pullMessage
		if err := decoder.Decode(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if message.Error != "" {
			return errors.New(message.Error)
		}
		layers.update(message)
		// Layers become known one by one: the share must not go back for that.
		if percent := layers.percent(); percent >= reported+1 || percent == 100 && reported < 100 {
			reported = percent
			progress.Report("pulling "+name, percent)
		}
	}
}

// pullLayers is how much of each layer has been done, 0 to 1: a half for
// fetching it and a half for unpacking it.
type pullLayers map[string]float64

func (l pullLayers) update(m pullMessage) {
	part := 0.0
	if m.Progress.Total > 0 {
		part = min(float64(m.Progress.Current)/float64(m.Progress.Total), 1)
	}
	switch m.Status {
	case "Pulling fs layer", "Waiting":
		l[m.ID] = 0
	case "Downloading":
		l[m.ID] = part / 2
	case "Verifying Checksum", "Download complete":
		l[m.ID] = 0.5
	case "Extracting":
		l[m.ID] = 0.5 + part/2
	case "Pull complete", "Already exists":
		l[m.ID] = 1
	}
}

func (l pullLayers) percent() float64 {
	if len(l) == 0 {
		return 0
	}
	done := 0.0
	for _, part := range l {
		done += part
	}
	return 100 * done / float64(len(l))
}

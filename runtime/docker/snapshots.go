package docker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/itechsmart/vm/runtime"
)

// A snapshot is an image, committed from the paused container and named after
// the machine. Images hold each other's layers as long as they need them, so any
// one may go. What the image keeps in volumes of its own is not part of it.

var _ runtime.Snapshotter = (*Driver)(nil)

const (
	labelSnapshot = "itechsmart.snapshot" // on an image: the snapshot's name
	labelImage    = "itechsmart.image"    // the image that a machine was first made from

	// repository of all snapshots; their tags are those of snapshotTag.
	repository = "itechsmart/snapshot"
	// incoming is the end of a container's name until it takes the place of the
	// machine's old one, outgoing that of the old one's from then on.
	incoming = "-restored"
	outgoing = "-replaced"
)

// snapshotTag is the reference of a snapshot's image.
func snapshotTag(ref runtime.Ref, name string) string {
	return fmt.Sprintf("%s:%s-%d-%s", repository, ref.Instance, ref.VM, name)
}

// Snapshot implements runtime.Snapshotter. It always copies.
func (d *Driver) Snapshot(ctx context.Context, ref runtime.Ref, name string, atOnce bool, progress runtime.Progress) (int64, error) {
	found, err := d.container(ctx, ref)
	if err != nil {
		return 0, err
	}
	switch {
	case !runtime.ValidSnapshotName(name):
		return 0, fmt.Errorf("%w: snapshot name %q", runtime.ErrInvalidSpec, name)
	case atOnce:
		return 0, fmt.Errorf("%s: an engine copies what it commits: %w", ref, runtime.ErrSlow)
	}
	if _, err := d.cli.ImageInspect(ctx, snapshotTag(ref, name)); err == nil {
		return 0, fmt.Errorf("%w: snapshot %q is there already", runtime.ErrInvalidSpec, name)
	}
	progress.Report("committing the container", -1)
	config := *found.Config
	config.Labels = snapshotLabels(ref, name, found.Config.Labels[labelImage])
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	// An engine goes on with what it has begun, and the container stays paused
	// until then: nobody should be told that it is over before it is.
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	committed, err := d.cli.ContainerCommit(lasting, found.ID, container.CommitOptions{
		Reference: snapshotTag(ref, name), Pause: true, Config: &config,
	})
	if err != nil {
		return 0, d.explain(lasting, "snapshot of "+ref.String(), err)
	}
	size, err := d.addedSize(lasting, committed.ID, found.Image)
	if err == nil {
		err = d.explain(lasting, "flatten a snapshot of "+ref.String(), d.flatten(lasting, ref, name, committed.ID, progress))
	}
	if err != nil {
		return 0, errors.Join(err, d.dropSnapshot(lasting, snapshotTag(ref, name), committed.ID))
	}
	return size, nil
}

// commitTimeout bounds a commit. An engine takes seconds for a gigabyte.
const commitTimeout = 10 * time.Minute

// snapshotLabels are those of a snapshot's image: enough to find and to restore
// it. Containers get labels of their own, which hide these.
func snapshotLabels(ref runtime.Ref, name, from string) map[string]string {
	return map[string]string{
		labelVM:       strconv.FormatInt(ref.VM, 10),
		labelInstance: ref.Instance,
		labelSnapshot: name,
		labelImage:    from,
		labelOwner:    runtime.Self().String(),
		labelCreated:  time.Now().UTC().Format(time.RFC3339),
	}
}

// addedSize is what an image takes up beside the one that its container is made
// from, which the engine may have dropped.
func (d *Driver) addedSize(ctx context.Context, id, base string) (int64, error) {
	made, err := d.cli.ImageInspect(ctx, id)
	if err != nil {
		return 0, d.explain(ctx, "measure a snapshot", err)
	}
	below, err := d.cli.ImageInspect(ctx, base)
	if err != nil && !errdefs.IsNotFound(err) {
		return 0, d.explain(ctx, "measure a snapshot", err)
	}
	return made.Size - below.Size, nil
}

// container finds a machine's container.
func (d *Driver) container(ctx context.Context, ref runtime.Ref) (container.InspectResponse, error) {
	found, err := d.cli.ContainerInspect(ctx, ref.String())
	if err == nil && found.Config.Labels[labelVM] == "" {
		err = errdefs.ErrNotFound
	}
	return found, d.explain(ctx, "inspect "+ref.String(), err)
}

// Restore implements runtime.Snapshotter: a new container, held as the old one
// was, takes its place.
func (d *Driver) Restore(ctx context.Context, ref runtime.Ref, name string) (runtime.Machine, error) {
	old, err := d.container(ctx, ref)
	if err != nil {
		return runtime.Machine{}, err
	}
	from, err := d.snapshotImage(ctx, ref, name)
	if err != nil {
		return runtime.Machine{}, err
	}
	config := *old.Config
	config.Image = from.ID
	if err := d.remove(ctx, ref.String()+incoming); err != nil {
		return runtime.Machine{}, d.explain(ctx, "restore "+ref.String(), err)
	}
	// Not given up half-way: once the old one has gone, there must be the new.
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	created, err := d.cli.ContainerCreate(lasting, &config, old.HostConfig, nil, nil, ref.String()+incoming)
	if err != nil {
		return runtime.Machine{}, d.explain(lasting, "restore "+ref.String(), err)
	}
	if err := d.replace(lasting, ref, old, created.ID); err != nil {
		return runtime.Machine{}, d.explain(lasting, "restore "+ref.String(), err)
	}
	if err := d.start(lasting, created.ID); err != nil {
		return runtime.Machine{}, d.explain(lasting, "start "+ref.String(), err)
	}
	return d.Inspect(lasting, ref)
}

// replace gives a machine another container. From the first step on, Mend ends what
// is interrupted here. Names change at once; a removal takes its time, in which
// nobody could tell whether the old one still counts.
func (d *Driver) replace(ctx context.Context, ref runtime.Ref, old container.InspectResponse, id string) error {
	if err := d.cli.ContainerRename(ctx, old.ID, ref.String()+outgoing); err != nil {
		return err
	}
	if err := d.cli.ContainerRename(ctx, id, ref.String()); err != nil {
		return err
	}
	if err := d.remove(ctx, old.ID); err != nil {
		return err
	}
	d.dropUnused(ctx, old.Image)
	return nil
}

func (d *Driver) snapshotImage(ctx context.Context, ref runtime.Ref, name string) (image.InspectResponse, error) {
	if !runtime.ValidSnapshotName(name) {
		return image.InspectResponse{}, fmt.Errorf("%w: %q of %s", runtime.ErrNoSnapshot, name, ref)
	}
	found, err := d.cli.ImageInspect(ctx, snapshotTag(ref, name))
	if ctx.Err() == nil && errdefs.IsNotFound(err) {
		return found, fmt.Errorf("%w: %q of %s", runtime.ErrNoSnapshot, name, ref)
	}
	return found, d.explain(ctx, "find snapshot "+name+" of "+ref.String(), err)
}

// DeleteSnapshot implements runtime.Snapshotter.
func (d *Driver) DeleteSnapshot(ctx context.Context, ref runtime.Ref, name string) error {
	found, err := d.snapshotImage(ctx, ref, name)
	if errors.Is(err, runtime.ErrNoSnapshot) {
		return nil
	}
	if err != nil {
		return err
	}
	return d.explain(ctx, "delete snapshot "+name+" of "+ref.String(), d.dropSnapshot(ctx, snapshotTag(ref, name), found.ID))
}

// dropSnapshot takes an image's name away, and the image with it unless a
// container still needs it; then it goes with that container.
func (d *Driver) dropSnapshot(ctx context.Context, tag, id string) error {
	_, err := d.cli.ImageRemove(ctx, tag, image.RemoveOptions{Force: true, PruneChildren: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	d.dropUnused(ctx, id)
	return nil
}

// dropUnused removes an image of ours that no name leads to any more. The engine
// refuses while a container or another image needs it: whoever is the last does
// it then.
func (d *Driver) dropUnused(ctx context.Context, id string) {
	found, err := d.cli.ImageInspect(ctx, id)
	if err != nil || found.Config == nil || found.Config.Labels[labelSnapshot] == "" || len(found.RepoTags) > 0 {
		return
	}
	_, _ = d.cli.ImageRemove(ctx, id, image.RemoveOptions{PruneChildren: true})
}

// Snapshots implements runtime.Snapshotter.
func (d *Driver) Snapshots(ctx context.Context, ref runtime.Ref) ([]string, error) {
	if _, err := d.container(ctx, ref); err != nil {
		return nil, err
	}
	tags, err := d.snapshotTags(ctx, ref)
	if err != nil {
		return nil, d.explain(ctx, "list snapshots of "+ref.String(), err)
	}
	names := make([]string, 0, len(tags))
	for tag := range tags {
		names = append(names, strings.TrimPrefix(tag, snapshotTag(ref, "")))
	}
	return names, nil
}

// snapshotTags are the references of a machine's snapshots, with their images.
func (d *Driver) snapshotTags(ctx context.Context, ref runtime.Ref) (map[string]string, error) {
	images, err := d.cli.ImageList(ctx, image.ListOptions{
		Filters: filters.NewArgs(filters.Arg("reference", snapshotTag(ref, "*"))),
	})
	tags := map[string]string{}
	for _, i := range images {
		for _, tag := range i.RepoTags {
			if strings.HasPrefix(tag, snapshotTag(ref, "")) {
				tags[tag] = i.ID
			}
		}
	}
	return tags, err
}

// dropSnapshots removes all snapshots of a machine.
func (d *Driver) dropSnapshots(ctx context.Context, ref runtime.Ref) error {
	tags, err := d.snapshotTags(ctx, ref)
	if err != nil {
		return err
	}
	for tag, id := range tags {
		if err := d.dropSnapshot(ctx, tag, id); err != nil {
			return err
		}
	}
	return nil
}

// Unchanged implements runtime.Snapshotter. To find out, an engine walks through
// all files.
func (*Driver) Unchanged(ctx context.Context, _ runtime.Ref, _ string) (bool, error) {
	return false, ctx.Err()
}

// CreateFrom implements runtime.Snapshotter.
func (d *Driver) CreateFrom(ctx context.Context, spec runtime.Spec, from runtime.Ref, name string, progress runtime.Progress) (runtime.Machine, error) {
	found, err := d.snapshotImage(ctx, from, name)
	if err != nil {
		return runtime.Machine{}, err
	}
	return d.create(ctx, spec, found.ID, progress)
}

// Mend implements runtime.Snapshotter.
func (d *Driver) Mend(ctx context.Context, ref runtime.Ref) error {
	found, err := d.container(ctx, ref)
	if errors.Is(err, runtime.ErrNoMachine) {
		// It ended between the two names of replace.
		err = d.cli.ContainerRename(ctx, ref.String()+incoming, ref.String())
		if errdefs.IsNotFound(err) {
			return nil
		}
		if err == nil {
			found, err = d.container(ctx, ref)
		}
	}
	if err == nil {
		err = d.mendContainer(ctx, ref, found)
	}
	return d.explain(ctx, "mend "+ref.String(), err)
}

// mendContainer removes those that were to take the machine's place, or had it, and
// has the one that counts run as it did before or should afterwards.
func (d *Driver) mendContainer(ctx context.Context, ref runtime.Ref, counts container.InspectResponse) error {
	for _, end := range []string{incoming, outgoing} {
		if err := d.remove(ctx, ref.String()+end); err != nil {
			return err
		}
	}
	switch counts.State.Status {
	case container.StateCreated:
		return d.start(ctx, counts.ID)
	case container.StatePaused:
		return d.awaitCommit(ctx, counts.ID)
	}
	return nil
}

// awaitCommit lets a container go on that stands still. An engine ends the commit
// that it has begun, whoever asked for it, and lets the container go on by itself;
// this is for the case that it does not.
func (d *Driver) awaitCommit(ctx context.Context, id string) error {
	const (
		patience = cleanupTimeout / 2
		poll     = 50 * time.Millisecond
	)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		found, err := d.cli.ContainerInspect(ctx, id)
		if err != nil || !found.State.Paused {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
	return d.cli.ContainerUnpause(ctx, id)
}

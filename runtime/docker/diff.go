package docker

import (
	"context"
	"crypto/rand"
	"iter"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// An engine tells what a container has changed of its image, but not how two of
// its images differ. So the agent lists the files of both states: in the machine
// itself, and for a snapshot in a container that is made of it for that purpose.
// Of files that nobody has changed since the machine was made, the names are
// enough: they are those of the image that it was made from.

var _ runtime.Differ = (*Driver)(nil)

// clockSkew is how much the clocks of those who make machines may differ from the
// engine's.
const clockSkew = time.Minute

// Diff implements runtime.Differ. The state of now takes a running machine.
func (d *Driver) Diff(ctx context.Context, ref runtime.Ref, from, to string, visit func(runtime.FileChange) error) error {
	machine, err := d.container(ctx, ref)
	if err != nil {
		return err
	}
	before, err := d.look(ctx, ref, machine, from)
	if err != nil {
		return err
	}
	defer before.close()
	after, err := d.look(ctx, ref, machine, to)
	if err != nil {
		return err
	}
	defer after.close()
	c := comparison{ctx: ctx, before: before, after: after, visit: visit}
	made, err := time.Parse(time.RFC3339, machine.Config.Labels[labelCreated])
	if err == nil && before.base == after.base { // else everything is compared
		c.since = made.Add(-clockSkew)
	}
	return c.run()
}

// look is a state of a machine's files that an agent looks at.
type look struct {
	*agent.Client
	driver *Driver
	helper string // the container that was made for it; "" = it is the machine
	base   string // the lowest layer: that of the machine's first image, unless flatten has made another
}

// look opens a state. The caller closes it.
func (d *Driver) look(ctx context.Context, ref runtime.Ref, machine container.InspectResponse, state string) (look, error) {
	l := look{driver: d}
	id := machine.ID
	if state == "" {
		from, err := d.cli.ImageInspect(ctx, machine.Image)
		if err != nil {
			return l, d.explain(ctx, "look at "+ref.String(), err)
		}
		l.base = lowest(from)
	} else {
		from, err := d.snapshotImage(ctx, ref, state)
		if err != nil {
			return l, err
		}
		l.base = lowest(from)
		if l.helper, err = d.startHelper(ctx, machine, from.ID); err != nil {
			return l, d.explain(ctx, "look at snapshot "+state+" of "+ref.String(), err)
		}
		id = l.helper
	}
	stream, err := d.open(ctx, id, ref.String())
	if err == nil {
		l.Client, err = agent.NewClient(stream)
	}
	if err != nil && l.helper != "" {
		d.discard(ctx, l.helper)
	}
	return l, err
}

func lowest(from image.InspectResponse) string {
	if len(from.RootFS.Layers) == 0 {
		return ""
	}
	return from.RootFS.Layers[0]
}

func (l look) close() {
	_ = l.Close() // the agent's work is done or given up
	if l.helper != "" {
		l.driver.discard(context.Background(), l.helper)
	}
}

// startHelper starts a container of an image, held as the machine is but that no
// network reaches it, and in which nothing runs but the agent. The caller
// discards it.
func (d *Driver) startHelper(ctx context.Context, machine container.InspectResponse, imageID string) (string, error) {
	d.removeDeadHelpers(ctx)
	config, host := *machine.Config, *machine.HostConfig
	config.Image = imageID
	config.Labels = map[string]string{labelHelper: "true", labelOwner: runtime.Self().String()}
	host.NetworkMode = "none"
	if err := ctx.Err(); err != nil {
		return "", err
	}
	// As in createContainer: one whose id is unknown could not be removed.
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	made, err := d.cli.ContainerCreate(lasting, &config, &host, nil, nil, helperName())
	if err != nil {
		return "", err
	}
	if err := d.start(ctx, made.ID); err != nil {
		d.discard(ctx, made.ID)
		return "", err
	}
	return made.ID, nil
}

// errand is a run of the container's root, who may read everything.
func (l look) errand() agent.Run { return agent.Run{ID: "diff-" + rand.Text(), User: "root"} }

// comparison is one Diff under way.
type comparison struct {
	ctx           context.Context
	before, after look
	since         time.Time // when the machine was made
	visit         func(runtime.FileChange) error
}

// run goes through both lists, which are in the same order.
func (c *comparison) run() error {
	nextBefore, stopBefore := iter.Pull2(c.before.Stamps(c.ctx, c.before.errand(), c.since, "/"))
	defer stopBefore()
	nextAfter, stopAfter := iter.Pull2(c.after.Stamps(c.ctx, c.after.errand(), c.since, "/"))
	defer stopAfter()
	a, errA, moreA := nextBefore()
	b, errB, moreB := nextAfter()
	for moreA || moreB {
		if errA != nil {
			return errA
		}
		if errB != nil {
			return errB
		}
		order := inOrder(a.Path, b.Path)
		inBefore, inAfter := moreA && (order <= 0 || !moreB), moreB && (order >= 0 || !moreA)
		var change runtime.FileChange
		if inBefore {
			change.Path, change.Before = a.Path, c.before.state(c.ctx, a)
		}
		if inAfter {
			change.Path, change.After = b.Path, c.after.state(c.ctx, b)
		}
		if err := c.tell(change, a, b); err != nil {
			return err
		}
		if inBefore {
			a, errA, moreA = nextBefore()
		}
		if inAfter {
			b, errB, moreB = nextAfter()
		}
	}
	return c.ctx.Err()
}

// inOrder compares two paths, folder by folder.
func inOrder(a, b string) int {
	return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}

// tell tells visit of a path that one state has, or of one that both have, with
// these stamps, if they differ.
func (c *comparison) tell(change runtime.FileChange, a, b agent.Stamp) error {
	if change.Before != nil && change.After != nil {
		same, err := c.sameContent(a, b)
		if err != nil {
			return err
		}
		change.Content = !same
		if same && change.Before.Same(*change.After) {
			return nil
		}
	}
	return c.visit(change)
}

// sameContent compares two files, of those that are regular ones.
func (c *comparison) sameContent(a, b agent.Stamp) (bool, error) {
	switch {
	case !a.Mode.IsRegular() || !b.Mode.IsRegular():
		return true, nil
	case a.Size != b.Size:
		return false, nil
	}
	if (a.Sum == "") == (b.Sum == "") {
		return a.Sum == b.Sum, nil
	}
	// One is still the image's. Perhaps the other only has another mode.
	var err error
	if a.Sum == "" {
		a.Sum, err = c.before.sum(c.ctx, a.Path)
	} else {
		b.Sum, err = c.after.sum(c.ctx, b.Path)
	}
	return a.Sum == b.Sum, err
}

// sum tells the content of one file; "" when it is gone.
func (l look) sum(ctx context.Context, path string) (string, error) {
	for stamp, err := range l.Stamps(ctx, l.errand(), time.Time{}, path) {
		return stamp.Sum, err
	}
	return "", nil
}

func (l look) state(ctx context.Context, s agent.Stamp) *runtime.FileState {
	return &runtime.FileState{
		Mode: s.Mode, UID: s.UID, GID: s.GID, Size: s.Size, Target: s.Target,
		Read: func(limit int64) ([]byte, error) {
			_, data, err := l.ReadFile(ctx, l.errand(), s.Path, limit)
			return data, err
		},
	}
}

package docker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// TestHighStacksAreFlattened puts a machine back to one snapshot after the other:
// the images do not pile up, and each holds all files.
func TestHighStacksAreFlattened(t *testing.T) {
	const most = 5
	d := newDriver(t)
	d.highStack = most
	spec := create(t, d)
	ctx := t.Context()
	before := environment(t, d, spec.Ref)
	for i := range 3 * most {
		name := fmt.Sprintf("s%d", i)
		onFiles(t, d, spec.Ref, func(c *agent.Client) error {
			return c.WriteFile(ctx, agent.Run{ID: "write", User: "root"}, fmt.Sprintf("/kept%d", i), []byte(name), 0o4751)
		})
		if _, err := d.Snapshot(ctx, spec.Ref, name, false, nil); err != nil {
			t.Fatal(err)
		}
		found, err := d.snapshotImage(ctx, spec.Ref, name)
		if err != nil || len(found.RootFS.Layers) > most {
			t.Fatalf("snapshot %d has %d layers, %v; want %d at most", i, len(found.RootFS.Layers), err, most)
		}
		if found.Config.Labels[labelSnapshot] != name || found.Config.Labels[labelHelper] != "" {
			t.Errorf("snapshot %d has the labels %v", i, found.Config.Labels)
		}
		if _, err := d.Restore(ctx, spec.Ref, name); err != nil {
			t.Fatal(err)
		}
		if err := d.DeleteSnapshot(ctx, spec.Ref, name); err != nil {
			t.Fatal(err)
		}
	}
	onFiles(t, d, spec.Ref, func(c *agent.Client) error {
		for i := range 3 * most {
			info, content, err := c.ReadFile(ctx, agent.Run{ID: fmt.Sprint("read", i), User: "root"}, fmt.Sprintf("/kept%d", i), 100)
			if err != nil {
				return err
			}
			if want := fmt.Sprintf("s%d", i); string(content) != want || info.Mode&0o777 != 0o751 {
				t.Errorf("file %d holds %q, mode %o; want %q", i, content, info.Mode, want)
			}
		}
		return nil
	})
	if diff := cmp.Diff(before, environment(t, d, spec.Ref)); diff != "" {
		t.Errorf("the machine's configuration has changed (-before +after):\n%s", diff)
	}
	if left := ownImages(t, d); left > most {
		t.Errorf("%d images are left of one machine", left)
	}
	if err := d.Destroy(ctx, spec.Ref); err != nil {
		t.Fatal(err)
	}
	if left := ownImages(t, d); left != 0 {
		t.Errorf("%d images have outlived the machine", left)
	}
}

// environment is what programs of a machine get from its image.
func environment(t *testing.T, d *Driver, ref runtime.Ref) []string {
	t.Helper()
	found, err := d.container(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{found.Config.WorkingDir, found.Config.User}, found.Config.Env...)
}

// ownImages counts the snapshots' images of this test run, nameless ones included.
func ownImages(t *testing.T, d *Driver) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found, err := d.cli.ImageList(ctx, image.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelInstance+"="+instance))})
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// onFiles connects to a machine's agent.
func onFiles(t *testing.T, d *Driver, ref runtime.Ref, do func(c *agent.Client) error) {
	t.Helper()
	stream, err := d.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	c, err := agent.NewClient(stream)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := do(c); err != nil {
		t.Fatal(err)
	}
}

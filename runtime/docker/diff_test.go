package docker

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// TestDiffOfAFlattenedSnapshot compares images that share no layer: all files of
// one are newer than the machine.
func TestDiffOfAFlattenedSnapshot(t *testing.T) {
	d := newDriver(t)
	spec := create(t, d)
	ctx := t.Context()
	for i, name := range []string{"one", "two"} {
		onFiles(t, d, spec.Ref, func(c *agent.Client) error {
			return c.WriteFile(ctx, agent.Run{ID: fmt.Sprint("write", i), User: "root"}, "/"+name, []byte(name), 0o644)
		})
		if _, err := d.Snapshot(ctx, spec.Ref, name, false, nil); err != nil {
			t.Fatal(err)
		}
		d.highStack = 1
	}
	one, err := d.snapshotImage(ctx, spec.Ref, "one")
	if err != nil {
		t.Fatal(err)
	}
	if two, err := d.snapshotImage(ctx, spec.Ref, "two"); err != nil || lowest(one) == lowest(two) {
		t.Fatalf("the second snapshot lies on the layers of the first, %v", err)
	}
	for _, test := range []struct {
		from, to string
		want     []string
	}{{"one", "two", []string{"/two"}}, {"two", "one", []string{"/two"}}, {"one", "", []string{"/two"}}, {"two", "", nil}} {
		var got []string
		err := d.Diff(ctx, spec.Ref, test.from, test.to, func(c runtime.FileChange) error {
			got = append(got, c.Path)
			return nil
		})
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("from %q to %q: %v (-want +got):\n%s", test.from, test.to, err, diff)
		}
	}
}

//go:build linux

package native

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMergeable(t *testing.T) {
	for name, c := range map[string]struct {
		layers       stack
		snapshots    map[string]stack
		leave        stack
		upper, lower string
	}{
		"one layer":                 {layers: stack{"1"}},
		"never the live one":        {layers: stack{"2", "1"}},
		"nothing between":           {layers: stack{"3", "2", "1"}, upper: "2", lower: "1"},
		"nothing between, one left": {layers: stack{"4", "3", "2", "1"}, leave: stack{"3"}, upper: "2", lower: "1"},
		"a snapshot between":        {layers: stack{"3", "2", "1"}, snapshots: map[string]stack{"a": {"1"}}},
		"a snapshot of both":        {layers: stack{"3", "2", "1"}, snapshots: map[string]stack{"a": {"2", "1"}}, upper: "2", lower: "1"},
		"a branch":                  {layers: stack{"3", "2", "1"}, snapshots: map[string]stack{"a": {"4", "1"}}},
		"below a branch":            {layers: stack{"4", "3", "2", "1"}, snapshots: map[string]stack{"a": {"5", "2", "1"}}, upper: "2", lower: "1"},
		"a snapshot of others":      {layers: stack{"4", "3", "2"}, snapshots: map[string]stack{"a": {"1"}}, upper: "3", lower: "2"},
	} {
		r := record{Layers: c.layers, Snapshots: c.snapshots}
		upper, lower, found := r.mergeable(c.leave)
		if upper != c.upper || lower != c.lower || found != (c.upper != "") {
			t.Errorf("%s: %q on %q, %v; want %q on %q", name, upper, lower, found, c.upper, c.lower)
		}
	}
}

func TestForgetTouchesNoOtherRecord(t *testing.T) {
	r := record{Layers: stack{"3", "2", "1"}, Snapshots: map[string]stack{"a": {"2", "1"}}}
	before := r.clone()
	next := r.clone()
	next.forget("2")
	next.addLayer()
	if diff := cmp.Diff(before.stacks(), r.stacks()); diff != "" {
		t.Errorf("the record that was cloned has changed (-before +after):\n%s", diff)
	}
	want := []stack{{"0001", "3", "1"}, {"1"}}
	if diff := cmp.Diff(want, next.stacks()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package runtimetest

import (
	"slices"
	"testing"

	"github.com/itechsmart/vm/runtime"
)

// testSnapshotTemplate makes machines of one that is stopped and had a network:
// they have its files, and nothing of the network or its limits.
func testSnapshotTemplate(t *testing.T, s *suite) {
	snapshots := s.snapshots(t)
	ctx := t.Context()
	spec := s.spec()
	if slices.Contains(s.features.Networks, runtime.NetworkAllowlist) {
		spec.Network = runtime.Network{Mode: runtime.NetworkAllowlist, Allow: []string{"listed.example"}}
	}
	origin := s.fresh(t, spec)
	origin.say(t, "built")
	origin.take(t, "built")
	origin.say(t, "something else")
	if err := s.driver.Stop(ctx, spec.Ref, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m := &machine{suite: s, spec: s.spec()}
		m.spec.Limits.Pids++
		var err error
		if m.made, err = snapshots.CreateFrom(ctx, m.spec, spec.Ref, "built", nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.destroy(m.spec.Ref); err != nil {
				t.Error(err)
			}
		})
		if err := m.connect(ctx); err != nil {
			t.Fatal(err)
		}
		defer m.client.Close()
		m.expectSaid(t, "built")
		m.isolated(t)
		if s.features.Enforcement.Network == runtime.Hard && m.made.Enforcement.Network != runtime.Hard {
			t.Errorf("the network is enforced %s", m.made.Enforcement.Network)
		}
	}
	if seen, err := s.driver.Inspect(ctx, spec.Ref); err != nil || seen.State != runtime.Stopped {
		t.Errorf("the origin afterwards: %s, %v", show(seen), err)
	}
}

package docker

import (
	"context"
	"os"
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent/fence"
	"github.com/itechsmart/vm/runtime/agent/netlink/netlinktest"
)

// A host forgets its packet filter when it is booted, and the fence with it: a
// machine gets it back with its network, and the last takes both away.
func TestFenceOfNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root sees the host's packet filter")
	}
	d := newDriver(t)
	spec := newSpec(t, d)
	spec.Instance += "fence" // no machine of another test is on its network
	spec.Network.Mode = runtime.NetworkFull
	name := networkName(spec.Instance)
	t.Cleanup(func() { must(t, d.Destroy(context.Background(), spec.Ref)) })
	if _, err := d.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if !netlinktest.HasTable(t, name) {
		t.Fatal("there is no fence around a new machine: is the engine on this host?")
	}
	must(t, d.Stop(t.Context(), spec.Ref, 0))
	must(t, fence.Lower(name))
	if _, err := d.Start(t.Context(), spec.Ref); err != nil {
		t.Fatal(err)
	}
	if !netlinktest.HasTable(t, name) {
		t.Error("there is no fence around a machine that was started again")
	}
	from, err := d.cli.ContainerInspect(t.Context(), spec.Ref.String())
	must(t, err)
	must(t, d.lowerFence(t.Context(), spec.Instance, from.Image))
	if !netlinktest.HasTable(t, name) {
		t.Error("a fence goes that is still needed")
	}
	must(t, d.Destroy(t.Context(), spec.Ref))
	if netlinktest.HasTable(t, name) {
		t.Error("the fence is still there")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package docker

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/google/uuid"

	"github.com/itechsmart/vm/runtime"
)

func TestCreateRefuses(t *testing.T) {
	d := newDriver(t)
	tests := []struct {
		name string
		edit func(*runtime.Spec)
		want error
		say  string
	}{
		{"no image", func(s *runtime.Spec) { s.Image = "" }, runtime.ErrInvalidSpec, "image"},
		{"bad image name", func(s *runtime.Spec) { s.Image = "UPPER case" }, runtime.ErrInvalidSpec, "UPPER"},
		{"no CPU", func(s *runtime.Spec) { s.Limits.CPU = 0 }, runtime.ErrInvalidSpec, "above zero"},
		{"hardly any memory", func(s *runtime.Spec) { s.Limits.MemoryMiB = 1 }, runtime.ErrInvalidSpec, "memory"},
		{"unknown isolation", func(s *runtime.Spec) { s.Isolation = "gvisor-ish" }, runtime.ErrNotEnforceable, "runc"},
		{"unknown network", func(s *runtime.Spec) { s.Network.Mode = "wormhole" }, runtime.ErrNotEnforceable, "wormhole"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := newSpec(t, d)
			tt.edit(&spec)
			_, err := d.Create(t.Context(), spec, nil)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("%v, want %v that mentions %q", err, tt.want, tt.say)
			}
			mustBeGoneAfter(t, d, spec.Ref, func() error { return nil })
		})
	}
}

func TestCreateTakesMoreCoresThanThereAre(t *testing.T) {
	d := newDriver(t)
	spec := newSpec(t, d)
	spec.Limits.CPU = 1000
	if _, err := d.Create(t.Context(), spec, nil); err != nil {
		t.Error(err)
	}
}

func TestCreateLeavesANeighbourOfTheSameNameAlone(t *testing.T) {
	d := newDriver(t)
	spec := create(t, d)
	if _, err := d.Create(t.Context(), spec, nil); err == nil {
		t.Error("a second machine of the same Ref was made")
	}
	if machine, err := d.Inspect(t.Context(), spec.Ref); err != nil || machine.State != runtime.Running {
		t.Errorf("the first machine: %+v, %v", machine, err)
	}
}

func TestCancelledCreateLeavesNothing(t *testing.T) {
	d := newDriver(t)
	for _, at := range []string{"before", "making container", "starting container"} {
		t.Run(at, func(t *testing.T) {
			spec := newSpec(t, d)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if at == "before" {
				cancel()
			}
			_, err := d.Create(ctx, spec, func(message string, _ float64) {
				if message == at {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want context.Canceled", err)
			}
			mustBeGoneAfter(t, d, spec.Ref, func() error { return nil })
		})
	}
}

func TestEmptyAgentVolumeIsFilled(t *testing.T) {
	d := newDriver(t)
	spec := newSpec(t, d)
	e, err := d.engine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	volume := "itechsmart-agent-test-" + uuid.NewString()
	t.Cleanup(func() {
		mustBeGoneAfter(t, d, spec.Ref, func() error { return d.Destroy(context.Background(), spec.Ref) })
		if err := d.cli.VolumeRemove(context.Background(), volume, false); err != nil {
			t.Error(err)
		}
	})
	config, err := containerConfig(spec, e.enforcement(), e, started)
	if err != nil {
		t.Fatal(err)
	}
	host := hostConfig(spec, e.enforcement(), e, 0, volume)
	made, err := d.cli.ContainerCreate(t.Context(), config, host, nil, nil, spec.Ref.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.start(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	// Once more, below the feet of the agent that runs.
	if err := d.fillAgentVolume(t.Context(), volume, spec.Image); err != nil {
		t.Error(err)
	}
	if machine, err := d.Inspect(t.Context(), spec.Ref); err != nil || machine.State != runtime.Running {
		t.Errorf("%+v, %v", machine, err)
	}
}

func TestNetworkLivesAsLongAsItsMachines(t *testing.T) {
	d := newDriver(t)
	var specs [2]runtime.Spec
	for i := range specs {
		specs[i] = newSpec(t, d)
		specs[i].Instance += "net"
		specs[i].Network.Mode = runtime.NetworkFull
		machine, err := d.Create(t.Context(), specs[i], nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Destroy(context.Background(), specs[i].Ref) })
		if machine.IP == "" {
			t.Errorf("no address: %+v", machine)
		}
	}
	// A stopped machine needs its network again.
	if err := d.Stop(t.Context(), specs[1].Ref, 0); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if err := d.Destroy(t.Context(), specs[i].Ref); err != nil {
			t.Fatal(err)
		}
		if got := networkExists(t, d, specs[i].Instance); got != want {
			t.Errorf("after destroying %d of 2 the network exists: %v, want %v", i+1, got, want)
		}
	}
}

func networkExists(t *testing.T, d *Driver, instance string) bool {
	t.Helper()
	_, err := d.cli.NetworkInspect(t.Context(), networkName(instance), network.InspectOptions{})
	if err != nil && !errdefs.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

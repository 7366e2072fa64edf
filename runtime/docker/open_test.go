package docker

import (
	"errors"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

func TestOpenOfAStoppedMachine(t *testing.T) {
	d := newDriver(t)
	spec := create(t, d)
	if err := d.Stop(t.Context(), spec.Ref, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(t.Context(), spec.Ref); !errors.Is(err, runtime.ErrNotRunning) {
		t.Errorf("%v, want ErrNotRunning", err)
	}
}

// TestCloseEndsTheBridge: streams that come and go leave no process in the
// machine.
func TestCloseEndsTheBridge(t *testing.T) {
	d := newDriver(t)
	spec := create(t, d)
	told, failed := d.cli.Events(t.Context(), events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("container", spec.Ref.String()), filters.Arg("event", string(events.ActionExecDie)),
	)})
	stream, err := d.Open(t.Context(), spec.Ref)
	if err != nil {
		t.Fatal(err)
	}
	client, err := agent.NewClient(stream)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-told:
	case err := <-failed:
		t.Fatal(err)
	case <-time.After(2 * time.Minute):
		t.Fatal("the bridge outlives its stream")
	}
}

package systemtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/server/client"
)

// kills is how many servers are killed in the middle, per runtime and database.
const kills = 6

// TestKillNineLeavesNothingUndefined kills servers at random moments of create,
// execute and delete. The next server must find every VM in a settled status and
// every execution ended, and be able to delete them all; newRig's clean-up then
// looks for machines, mounts, control groups and folders.
func TestKillNineLeavesNothingUndefined(t *testing.T) {
	forEach(t, func(t *testing.T, r *rig) {
		cycle := r.measureCycle(t)
		for range kills {
			after := time.Duration(rand.Int64N(int64(cycle)))
			r.killDuringCycle(t, after)
			r.expectSettled(t, after)
		}
	})
}

// cycle is a VM's whole life.
func runCycle(ctx context.Context, c *client.Client, done chan<- struct{}) {
	defer close(done)
	steps := []struct {
		method string
		params any
	}{
		{"vm/create", map[string]any{"name": "victim", "language": "bash"}},
		{"vm/execute", map[string]any{"id": "victim", "code": "echo begin; (setsid sleep 300 &); sleep 0.05; echo end"}},
		{"vm/delete", map[string]any{"id": "victim"}},
	}
	for _, s := range steps {
		// The server may be gone, and the VM half made: that is the point.
		_ = c.Call(ctx, s.method, s.params, nil)
	}
}

// measureCycle runs one undisturbed cycle and returns how long it took.
func (r *rig) measureCycle(t *testing.T) time.Duration {
	t.Helper()
	c := r.serve(t, nil)
	start, done := time.Now(), make(chan struct{})
	runCycle(t.Context(), c, done)
	<-done
	took := time.Since(start)
	if err := c.Close(); err != nil {
		t.Fatalf("the server ended with %v", err)
	}
	return took
}

func (r *rig) killDuringCycle(t *testing.T, after time.Duration) {
	t.Helper()
	c := r.serve(t, nil)
	done := make(chan struct{})
	go runCycle(t.Context(), c, done)
	time.Sleep(after) // the moment of death, not a synchronisation
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	<-done
}

// expectSettled starts a server, waits until what the dead one left is settled,
// and deletes the VM.
func (r *rig) expectSettled(t *testing.T, after time.Duration) {
	t.Helper()
	c := r.serve(t, nil)
	deadline, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		unsettled := unsettled(deadline, t, c)
		if unsettled == "" {
			break
		}
		if deadline.Err() != nil {
			t.Fatalf("killed after %v: %s", after, unsettled)
		}
		time.Sleep(20 * time.Millisecond)
	}
	var failure *client.Error
	if err := c.Call(deadline, "vm/delete", map[string]any{"id": "victim"}, nil); err != nil && !(errors.As(err, &failure) && failure.Kind == "notFound") {
		t.Errorf("killed after %v: deleting what is left: %v", after, err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("the next server ended with %v", err)
	}
}

// unsettled says what is in an undefined state, or "".
func unsettled(ctx context.Context, t *testing.T, c *client.Client) string {
	t.Helper()
	var vms handlers.ListResult
	if err := c.Call(ctx, "vm/list", nil, &vms); err != nil {
		t.Fatal(err)
	}
	for _, vm := range vms.VMs {
		if vm.Status != "running" && vm.Status != "stopped" {
			return "VM " + vm.Name + " is " + vm.Status + " " + vm.Error
		}
	}
	var history handlers.ExecutionsResult
	if err := c.Call(ctx, "vm/executions", nil, &history); err != nil {
		t.Fatal(err)
	}
	for _, e := range history.Executions {
		if e.Verdict == "running" {
			return "an execution still runs"
		}
	}
	return ""
}

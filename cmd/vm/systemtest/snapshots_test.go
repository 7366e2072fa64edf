package systemtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/server/client"
)

// snapshotKills is how many servers are killed in the middle of snapshots, per
// runtime and database.
const snapshotKills = 3

// TestKillNineInTheMiddleOfSnapshots kills servers at random moments of snapshot,
// execute with a checkpoint, restore, undo and fork. The next server must find
// every snapshot whole, or not at all, and none that is not on record; newRig's
// clean-up then looks for what is left on the host.
func TestKillNineInTheMiddleOfSnapshots(t *testing.T) {
	for _, place := range [][2]string{{"native", "sqlite"}, {"native", "postgres"}, {"docker", "sqlite"}} {
		t.Run(place[0]+"/"+place[1], func(t *testing.T) {
			r := newRig(t, place[0], place[1])
			c := r.serve(t, nil)
			must(t, c.Call(t.Context(), "vm/create", map[string]any{"name": "victim", "language": "bash"}, nil))
			began := time.Now()
			snapshotCycle(t.Context(), c, 0)
			cycle := time.Since(began)
			must(t, c.Close())
			for i := range snapshotKills {
				r.killDuring(t, time.Duration(rand.Int64N(int64(cycle))), func(ctx context.Context, c *client.Client) { snapshotCycle(ctx, c, i+1) })
				r.expectWhole(t)
			}
		})
	}
}

// content is what a VM has in a round: a word, and a file that takes a while to
// copy.
func content(round int) string {
	return fmt.Sprintf("head -c 3000000 /dev/zero | tr '\\0' %d > data; echo %d > round", round, round)
}

// snapshotCycle does everything that there is to do with snapshots. The server may
// be gone at any moment: that is the point.
func snapshotCycle(ctx context.Context, c *client.Client, round int) {
	name := fmt.Sprintf("round%d", round)
	for _, s := range []struct {
		method string
		params map[string]any
	}{
		{"vm/execute", map[string]any{"code": content(round)}},
		{"vm/snapshot", map[string]any{"name": name}},
		{"vm/execute", map[string]any{"code": "echo lost > round; rm data", "checkpoint": true}},
		{"vm/undo", nil},
		{"vm/execute", map[string]any{"code": "echo lost > round"}},
		{"vm/restore", map[string]any{"snapshot": name}},
		{"vm/create", map[string]any{"name": "fork", "snapshot": "victim/" + name}},
		{"vm/delete", map[string]any{"id": "fork"}},
	} {
		params := map[string]any{"id": "victim"}
		if s.method == "vm/create" {
			params = map[string]any{}
		}
		for key, value := range s.params {
			params[key] = value
		}
		_ = c.Call(ctx, s.method, params, nil)
	}
}

// killDuring starts a server, and kills it a while after something was begun.
func (r *rig) killDuring(t *testing.T, after time.Duration, do func(context.Context, *client.Client)) {
	t.Helper()
	c := r.serve(t, nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(t.Context(), c)
	}()
	time.Sleep(after) // the moment of death, not a synchronisation
	must(t, c.Kill())
	<-done
	t.Logf("killed after %v", after)
}

// expectWhole starts a server, waits until what the dead one left is settled, and
// looks at every snapshot. It leaves the VM running, without a fork.
func (r *rig) expectWhole(t *testing.T) {
	t.Helper()
	c := r.serve(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for what := unsettled(ctx, t, c); what != ""; what = unsettled(ctx, t, c) {
		if ctx.Err() != nil {
			t.Fatal(what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	var failure *client.Error
	if err := c.Call(ctx, "vm/delete", map[string]any{"id": "fork"}, nil); err != nil && !(errors.As(err, &failure) && failure.Kind == "notFound") {
		t.Errorf("delete the fork: %v", err)
	}
	var listed handlers.SnapshotsResult
	must(t, c.Call(ctx, "vm/snapshots", map[string]any{"id": "victim"}, &listed))
	if there := r.snapshotsOutside(ctx, t); there != len(listed.Snapshots) {
		t.Errorf("%d snapshots are on record, the engine has %d", len(listed.Snapshots), there)
	}
	for _, s := range listed.Snapshots {
		must(t, c.Call(ctx, "vm/restore", map[string]any{"id": "victim", "snapshot": s.Name}, nil))
		var e handlers.Execution
		// A checkpoint holds what was there before something was executed: nothing at
		// first, and after a kill what an execution had come to.
		const look = "test -f round && read n < round && test \"$(head -c 3000000 /dev/zero | tr '\\0' $n | cksum)\" = \"$(cksum < data)\" && echo $n"
		must(t, c.Call(ctx, "vm/execute", map[string]any{"id": "victim", "code": look, "checkpoint": false}, &e))
		if want := strings.TrimPrefix(s.Name, "round") + "\n"; s.Kind == "manual" && e.Output != want {
			t.Errorf("snapshot %s holds round %q, want %q", s.Name, e.Output, want)
		}
	}
	must(t, c.Close())
}

// snapshotsOutside counts the snapshots that the engine has of the rig's VMs.
func (r *rig) snapshotsOutside(ctx context.Context, t *testing.T) int {
	t.Helper()
	if r.runtime == "docker" {
		return len(r.snapshotImages(ctx, t))
	}
	count := 0
	for _, record := range r.records(t) {
		count += len(record.Snapshots)
	}
	return count
}

// record is what the native runtime keeps of a VM.
type record struct {
	Layers    []string
	Snapshots map[string][]string
}

// records are those of the rig's VMs.
func (r *rig) records(t *testing.T) []record {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.state, "itechsmart", "native", "itechsmart-*", "machine.json"))
	must(t, err)
	var records []record
	for _, file := range files {
		raw, err := os.ReadFile(file)
		must(t, err)
		var one record
		must(t, json.Unmarshal(raw, &one))
		records = append(records, one)
	}
	return records
}

// snapshotImages are the images that hold snapshots of the rig's VMs in Docker.
func (r *rig) snapshotImages(ctx context.Context, t *testing.T) []string {
	t.Helper()
	list := exec.CommandContext(ctx, "docker", "-H", os.Getenv("ITECHSMART_TEST_DOCKER_HOST"), "images", "-a",
		"--filter", "label=itechsmart.instance="+r.instance(ctx, t), "--format", "image {{.Repository}}:{{.Tag}} {{.ID}}")
	out, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("docker images: %v\n%s", err, out)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

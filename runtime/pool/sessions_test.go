package pool_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/pool"
)

// in executes code in a session.
func (r *rig) in(t *testing.T, ctx context.Context, vm db.VirtualMachine, session, code string, o pool.Observer) db.Execution {
	t.Helper()
	e, err := r.Execute(ctx, vm, pool.RunRequest{Code: []byte(code), Session: session}, o)
	if err != nil {
		t.Errorf("%q: %v", code, err)
	}
	return e
}

// Executions of one session queue up in the order of their starts, and one that
// is cancelled while it waits leaves the others alone.
func TestSessionQueue(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	r.in(t, t.Context(), vm, "s", "set x 0", pool.Observer{})
	first, cancelFirst := context.WithCancel(t.Context())
	waiting, cancelWaiting := context.WithCancel(t.Context())
	contexts := []context.Context{first, waiting, t.Context(), t.Context()}
	codes := []string{"set x 1\nloop", "set x 2", "get x\nset x 3", "get x"}
	ends := make([]db.Execution, len(codes))
	var all sync.WaitGroup
	for i, code := range codes {
		o, ids := started()
		all.Go(func() { ends[i] = r.in(t, contexts[i], vm, "s", code, o) })
		<-ids
	}
	cancelWaiting()
	for ends := r.verdicts(t, vm); ends[3] == "running"; ends = r.verdicts(t, vm) {
	}
	cancelFirst()
	all.Wait()
	want := []struct{ verdict, output string }{
		{"cancelled", ""}, {"cancelled", ""}, {"exited", "1\n"}, {"exited", "3\n"},
	}
	for i, e := range ends {
		if e.Verdict != want[i].verdict || string(e.Output) != want[i].output || e.SessionNote != "" {
			t.Errorf("%q: %s, %q, note %q", codes[i], e.Verdict, e.Output, e.SessionNote)
		}
	}
}

// verdicts of a VM's executions by their ids.
func (r *rig) verdicts(t *testing.T, vm db.VirtualMachine) map[int64]string {
	t.Helper()
	list, err := r.Executions(t.Context(), vm.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[int64]string{}
	for _, e := range list {
		verdicts[e.ID] = e.Verdict
	}
	return verdicts
}

// Sessions belong to the VM: another process finds them, and they end with it.
func TestSessionsOutliveTheProcess(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	r.in(t, t.Context(), vm, "s", "set x kept", pool.Observer{})
	r.pool.Close()
	r.pool = newPool(t, r.store, r.driver)
	t.Cleanup(r.pool.Close)
	var err error
	if r.Tenant, err = r.pool.For(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if e := r.in(t, t.Context(), vm, "s", "get x", pool.Observer{}); string(e.Output) != "kept\n" {
		t.Errorf("%s, %q, %q", e.Verdict, e.Output, e.Error)
	}
	if vm, err = r.Stop(t.Context(), vm, false); err != nil {
		t.Fatal(err)
	}
	if vm, err = r.Start(t.Context(), vm); err != nil {
		t.Fatal(err)
	}
	if list, err := r.Sessions(t.Context(), vm); err != nil || len(list) != 0 {
		t.Errorf("after a stop: %v, %v", list, err)
	}
}

// A VM keeps 16 sessions; the one that was not used for longest gives way.
func TestSessionsAreBounded(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	names := "abcdefghijklmnop"
	for _, name := range names + "q" {
		r.in(t, t.Context(), vm, string(name), "set x "+string(name), pool.Observer{})
	}
	list, err := r.Sessions(t.Context(), vm)
	if err != nil {
		t.Fatal(err)
	}
	var kept strings.Builder
	for _, s := range list {
		kept.WriteString(s.Name)
	}
	if kept.String() != names[1:]+"q" {
		t.Errorf("kept %s", &kept)
	}
}

// An execution that a limit ends takes its interpreter with it, and says so.
func TestSessionMeetsALimit(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	e := r.in(t, t.Context(), vm, "s", "print before\nalloc 4096", pool.Observer{})
	if e.Verdict != string(agent.OutOfMemory) || string(e.Output) != "before\n" || !strings.Contains(e.SessionNote, "memory limit") {
		t.Errorf("%s, %q, note %q", e.Verdict, e.Output, e.SessionNote)
	}
}

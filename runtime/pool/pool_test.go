package pool_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/pool"
)

// rig is a pool on the in-memory driver, with what is below it.
type rig struct {
	*pool.Tenant
	pool     *pool.Pool
	store    db.Store
	driver   *fake.Driver
	database string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{driver: fake.New(), database: filepath.Join(t.TempDir(), "vm.db")}
	t.Cleanup(func() { _ = r.driver.Close() })
	store, err := db.Open(t.Context(), r.database)
	if err != nil {
		t.Fatal(err)
	}
	r.store = store
	t.Cleanup(func() { _ = store.Close() })
	r.pool = newPool(t, store, r.driver)
	t.Cleanup(r.pool.Close)
	if r.Tenant, err = r.pool.For(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	return r
}

func newPool(t *testing.T, store db.Store, driver runtime.Driver) *pool.Pool {
	t.Helper()
	languages, err := lang.New(map[string]lang.Override{fake.LanguageID: fake.Language})
	if err != nil {
		t.Fatal(err)
	}
	return pool.New(pool.Options{
		Store: store, Drivers: []runtime.Driver{driver}, Languages: languages,
		Quota: pool.StandardQuota(), Defaults: pool.StandardDefaults(), Log: slog.New(slog.DiscardHandler),
	})
}

func (r *rig) create(t *testing.T, name string) db.VirtualMachine {
	t.Helper()
	vm, err := r.Create(t.Context(), pool.CreateRequest{Name: name, Language: fake.LanguageID}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

func (r *rig) run(t *testing.T, vm db.VirtualMachine, code string) db.Execution {
	t.Helper()
	e, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte(code)}, pool.Observer{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// started returns an observer that tells an execution's id when it has begun.
func started() (pool.Observer, <-chan int64) {
	ids := make(chan int64, 1)
	return pool.Observer{Started: func(e db.Execution) { ids <- e.ID }}, ids
}

func TestQuotaHoldsUnderConcurrentCreation(t *testing.T) {
	r := newRig(t)
	var made, refused int
	var mu sync.Mutex
	var creating sync.WaitGroup
	for i := range 20 {
		creating.Go(func() {
			_, err := r.Create(t.Context(), pool.CreateRequest{Name: fmt.Sprintf("vm%d", i), Language: fake.LanguageID}, nil)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				made++
			case errors.Is(err, pool.ErrQuota):
				refused++
			default:
				t.Errorf("Create: %v", err)
			}
		})
	}
	creating.Wait()
	if made != 10 || refused != 10 {
		t.Errorf("%d created and %d refused, want 10 and 10", made, refused)
	}
}

func TestFailedCreationLeavesNothing(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Create(ctx, pool.CreateRequest{Name: "a", Language: fake.LanguageID}, nil); err == nil {
		t.Fatal("Create succeeded under a cancelled context")
	}
	vms, err := r.List(t.Context(), db.VMFilter{}, true)
	if err != nil || len(vms) != 0 {
		t.Errorf("rows left: %v, %v", vms, err)
	}
	machines, err := r.driver.List(t.Context(), r.store.Instance())
	if err != nil || len(machines) != 0 {
		t.Errorf("machines left: %v, %v", machines, err)
	}
}

func TestCancelKillsAndRecords(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	ctx, cancel := context.WithCancel(t.Context())
	var seen strings.Builder
	e, err := r.Execute(ctx, vm, pool.RunRequest{Code: []byte("print before\nloop")}, pool.Observer{
		Output: func(_ agent.Stream, p []byte) { seen.Write(p); cancel() },
	})
	if err != nil || e.Verdict != "cancelled" || string(e.Output) != "before\n" {
		t.Fatalf("Execute = %q with %q, %v; want cancelled with what was printed", e.Verdict, e.Output, err)
	}
	recorded, err := r.Execution(t.Context(), e.ID)
	if err != nil || recorded.Verdict != "cancelled" || string(recorded.Output) != seen.String() {
		t.Errorf("recorded %q with %q, %v", recorded.Verdict, recorded.Output, err)
	}
}

func TestAnExecutionOutlivesItsCallerAndIsFollowedByTheNextPool(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	leaving, leave := context.WithCancelCause(t.Context())
	o, ids := started()
	left := make(chan db.Execution, 1)
	go func() {
		e, err := r.Execute(leaving, vm, pool.RunRequest{Code: []byte("print first\nread\nprint last"), OpenStdin: true}, o)
		if err != nil {
			t.Errorf("Execute: %v", err)
		}
		left <- e
	}()
	id := <-ids
	leave(pool.ErrLeave)
	if e := <-left; e.Verdict != "running" {
		t.Fatalf("after leaving the verdict is %q, want running", e.Verdict)
	}
	r.pool.Close()

	// Another process: a pool and a store of its own.
	store, err := db.Open(t.Context(), r.database)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	next := newPool(t, store, r.driver)
	defer next.Close()
	tenant, err := next.For(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	if err := tenant.Input(t.Context(), id, []byte("middle\n"), true); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	e, err := tenant.Attach(t.Context(), id, pool.Observer{Output: func(_ agent.Stream, p []byte) { seen.Write(p) }})
	if want := "first\nmiddle\nlast\n"; err != nil || e.Verdict != "exited" || seen.String() != want || string(e.Output) != want {
		t.Errorf("attached: %q, saw %q, recorded %q, %v; want %q", e.Verdict, seen.String(), e.Output, err, want)
	}
}

func TestRecoverTakesOverFromTheDead(t *testing.T) {
	for name, c := range map[string]struct {
		status db.Status
		want   db.Status // "" = gone
	}{
		"creating": {db.Creating, ""},
		"deleting": {db.Deleting, ""},
		"stopping": {db.Stopping, db.Running},
		"starting": {db.Starting, db.Running},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			vm := r.create(t, "a")
			_, err := r.store.UpdateVM(t.Context(), vm.ID, nil, func(vm *db.VirtualMachine) error {
				dead := runtime.Self()
				dead.PID, dead.Start = 1, "before" // a pid that another process has now
				vm.Status, vm.Owner = c.status, dead.String()
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.pool.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			row, err := r.store.VM(t.Context(), vm.ID)
			if c.want == "" {
				if !errors.Is(err, db.ErrNotFound) {
					t.Errorf("the row is still there: %s, %v", row.Status, err)
				}
				return
			}
			if err != nil || row.Status != c.want || row.Owner != "" {
				t.Errorf("recovered as %q owned by %q, %v; want %q owned by nobody", row.Status, row.Owner, err, c.want)
			}
		})
	}
}

func TestAVMThatIsBeingWorkedOnIsBusy(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	_, err := r.store.UpdateVM(t.Context(), vm.ID, nil, func(vm *db.VirtualMachine) error {
		vm.Status, vm.Owner = db.Stopping, runtime.Self().String()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	vm, err = r.Get(t.Context(), vm.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Start(t.Context(), vm); !errors.Is(err, pool.ErrBusy) {
		t.Errorf("Start = %v, want ErrBusy", err)
	}
	if err := r.Delete(t.Context(), vm); !errors.Is(err, pool.ErrBusy) {
		t.Errorf("Delete = %v, want ErrBusy", err)
	}
}

func TestReconcileRemovesMachinesWithoutARow(t *testing.T) {
	r := newRig(t)
	kept := r.create(t, "kept")
	lost := r.create(t, "lost")
	if err := r.store.DeleteVM(t.Context(), lost.ID); err != nil {
		t.Fatal(err)
	}
	if err := r.pool.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	machines, err := r.driver.List(t.Context(), r.store.Instance())
	if err != nil || len(machines) != 1 || machines[0].VM != kept.ID {
		t.Errorf("machines after Reconcile: %v, %v; want that of VM %d alone", machines, err, kept.ID)
	}
}

func TestAMachineThatEndedByItselfIsSaid(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	ref := runtime.Ref{Instance: r.store.Instance(), VM: vm.ID}
	if err := r.driver.Stop(t.Context(), ref, 0); err != nil {
		t.Fatal(err)
	}
	_, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte("print 1")}, pool.Observer{})
	if !errors.Is(err, pool.ErrState) {
		t.Fatalf("Execute = %v, want ErrState", err)
	}
	row, err := r.store.VM(t.Context(), vm.ID)
	if err != nil || row.Status != db.Stopped {
		t.Errorf("the row says %q, %v; want stopped", row.Status, err)
	}
}

func TestStoppingAVMEndsItsExecutions(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	o, ids := started()
	ended := make(chan db.Execution, 1)
	go func() {
		e, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte("loop")}, o)
		if err != nil {
			t.Errorf("Execute: %v", err)
		}
		ended <- e
	}()
	<-ids
	if _, err := r.Stop(t.Context(), vm, true); err != nil {
		t.Fatal(err)
	}
	if e := <-ended; e.Verdict != "vmStopped" {
		t.Errorf("verdict %q, want vmStopped", e.Verdict)
	}
}

func TestSweepDeletesWhatHasExpired(t *testing.T) {
	r := newRig(t)
	soon, never := 0.001, 0.0
	for name, ttl := range map[string]*float64{"short": &soon, "long": &never} {
		if _, err := r.Create(t.Context(), pool.CreateRequest{Name: name, Language: fake.LanguageID, TTL: ttl}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.pool.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	vms, err := r.List(t.Context(), db.VMFilter{}, false)
	if err != nil || len(vms) != 1 || vms[0].Name != "long" {
		t.Errorf("left after Sweep: %v, %v; want long alone", vms, err)
	}
}

func TestSweepStopsWhatIsIdle(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	_, err := r.store.UpdateVM(t.Context(), vm.ID, nil, func(vm *db.VirtualMachine) error {
		vm.IdleTimeout, vm.LastUsedAt = 60, vm.LastUsedAt.Add(-61_000_000_000)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.pool.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	row, err := r.store.VM(t.Context(), vm.ID)
	if err != nil || row.Status != db.Stopped {
		t.Errorf("the idle VM is %q, %v; want stopped", row.Status, err)
	}
}

func TestAScratchVMIsMadeOnceAndReused(t *testing.T) {
	r := newRig(t)
	ids := make([]int64, 8)
	var asking sync.WaitGroup
	for i := range ids {
		asking.Go(func() {
			vm, err := r.Scratch(t.Context(), fake.LanguageID, nil)
			if err != nil {
				t.Errorf("Scratch: %v", err)
			}
			ids[i] = vm.ID
		})
	}
	asking.Wait()
	if len(slices.Compact(ids)) != 1 {
		t.Errorf("scratch VMs %v, want one and the same", ids)
	}
}

func TestUsersDoNotReachEachOther(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "a")
	e := r.run(t, vm, "print 1")
	eve, err := r.pool.For(t.Context(), "eve")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eve.Get(t.Context(), vm.ID, ""); !errors.Is(err, pool.ErrUnauthorized) {
		t.Errorf("Get by id = %v, want ErrUnauthorized", err)
	}
	if _, err := eve.Get(t.Context(), 0, "a"); !errors.Is(err, pool.ErrNotFound) {
		t.Errorf("Get by name = %v, want ErrNotFound", err)
	}
	if _, err := eve.Attach(t.Context(), e.ID, pool.Observer{}); !errors.Is(err, pool.ErrUnauthorized) {
		t.Errorf("Attach = %v, want ErrUnauthorized", err)
	}
	if err := eve.Signal(t.Context(), e.ID, "SIGKILL"); !errors.Is(err, pool.ErrUnauthorized) {
		t.Errorf("Signal = %v, want ErrUnauthorized", err)
	}
	if list, err := eve.List(t.Context(), db.VMFilter{}, false); err != nil || len(list) != 0 {
		t.Errorf("List = %v, %v, want nothing", list, err)
	}
}

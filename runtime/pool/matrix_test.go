package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/pool"
)

// wantNoVM fails the test when a row or a machine is left.
func (r *rig) wantNoVM(t *testing.T) {
	t.Helper()
	vms, err := r.List(t.Context(), db.VMFilter{}, true)
	if err != nil || len(vms) != 0 {
		t.Errorf("rows left: %v, %v", vms, err)
	}
	machines, err := r.driver.List(t.Context(), r.store.Instance())
	if err != nil || len(machines) != 0 {
		t.Errorf("machines left: %v, %v", machines, err)
	}
}

func TestAMatrixMakesAndRemovesItsVMs(t *testing.T) {
	r := newRig(t)
	items, err := r.Matrix(t.Context(), []string{"probe@1", "probe@2", "probe"}, pool.RunRequest{Code: []byte("print 1\nexit 3")}, pool.BatchOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, item := range items {
		got = append(got, fmt.Sprintf("%s %s %q %d %v", item.Execution.Language, item.Execution.Verdict, item.Execution.Output, item.Execution.ExitCode, item.Err))
	}
	want := []string{`probe@1 exited "1\n" 3 <nil>`, `probe@2 exited "1\n" 3 <nil>`, `probe exited "1\n" 3 <nil>`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	r.wantNoVM(t)
}

func TestAMatrixThatIsCancelledLeavesNothing(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	items, err := r.Matrix(ctx, []string{"probe@1", "probe@2"}, pool.RunRequest{Code: []byte("print 1\nloop")}, pool.BatchOptions{
		Observe: func(db.VirtualMachine) pool.Observer {
			return pool.Observer{Output: func(agent.Stream, []byte) { cancel() }}
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		if item.Execution.Verdict != "cancelled" && !errors.Is(item.Err, context.Canceled) {
			t.Errorf("%s: %q, %v; want cancelled", item.VM.Language, item.Execution.Verdict, item.Err)
		}
	}
	r.wantNoVM(t)
}

func TestAMatrixThatIsLeftGoesOn(t *testing.T) {
	r := newRig(t)
	ctx, leave := context.WithCancelCause(t.Context())
	o, ids := started()
	done := make(chan []pool.BatchItem)
	go func() {
		items, err := r.Matrix(ctx, []string{"probe"}, pool.RunRequest{Code: []byte("read"), OpenStdin: true},
			pool.BatchOptions{Observe: func(db.VirtualMachine) pool.Observer { return o }}, nil)
		if err != nil {
			t.Errorf("Matrix: %v", err)
		}
		done <- items
	}()
	<-ids
	leave(pool.ErrLeave)
	item := (<-done)[0]
	if item.Execution.Verdict != "running" {
		t.Errorf("verdict %q, want running", item.Execution.Verdict)
	}
	vm, err := r.Get(t.Context(), item.VM.ID, "")
	if err != nil || !vm.Scratch {
		t.Errorf("the VM is %+v, %v; want a scratch VM, which a sweep removes", vm, err)
	}
}

func TestAMatrixThatDoesNotFitIsRefusedBeforehand(t *testing.T) {
	r := newRig(t)
	for i := range 8 {
		r.create(t, fmt.Sprintf("vm%d", i))
	}
	languages := []string{"probe@1", "probe@2", "probe@3"}
	_, err := r.Matrix(t.Context(), languages, pool.RunRequest{Code: []byte("print 1")}, pool.BatchOptions{}, nil)
	if want := "the matrix needs 3 VMs at once, and the quota leaves room for 2"; !errors.Is(err, pool.ErrQuota) || err.Error() != want {
		t.Errorf("Matrix = %v, want %s", err, want)
	}
	items, err := r.Matrix(t.Context(), languages, pool.RunRequest{Code: []byte("print 1")}, pool.BatchOptions{Parallel: 2}, nil)
	if err != nil || slices.ContainsFunc(items, func(i pool.BatchItem) bool { return i.Err != nil }) {
		t.Errorf("two at a time: %v, %v; want all of them run", items, err)
	}
}

func TestAMatrixSaysWhichVMCouldNotBeMade(t *testing.T) {
	r := newRig(t)
	r.pool.Close()
	r.pool = newPool(t, r.store, failing{r.driver, "probe:2"})
	tenant, err := r.pool.For(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	items, err := tenant.Matrix(t.Context(), []string{"probe@1", "probe@2"}, pool.RunRequest{Code: []byte("print 1")}, pool.BatchOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if items[0].Err != nil || !errors.Is(items[1].Err, pool.ErrUnavailable) || items[1].VM.Language != "probe@2" {
		t.Errorf("Matrix = %v and %v for %s; want the second alone unavailable", items[0].Err, items[1].Err, items[1].VM.Language)
	}
	r.wantNoVM(t)
}

// failing is a driver that lacks an image.
type failing struct {
	runtime.Driver
	image string
}

func (d failing) Create(ctx context.Context, spec runtime.Spec, p runtime.Progress) (runtime.Machine, error) {
	if spec.Image == d.image {
		return runtime.Machine{}, fmt.Errorf("%w: no image %s", runtime.ErrUnavailable, d.image)
	}
	return d.Driver.Create(ctx, spec, p)
}

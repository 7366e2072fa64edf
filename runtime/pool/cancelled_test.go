package pool_test

import (
	"context"
	"errors"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/pool"
)

// lateCancel is a driver whose caller gives up at the moment a machine is made.
type lateCancel struct {
	*fake.Driver
	cancel context.CancelFunc
}

func (d *lateCancel) Create(ctx context.Context, spec runtime.Spec, progress runtime.Progress) (runtime.Machine, error) {
	machine, err := d.Driver.Create(ctx, spec, progress)
	d.cancel()
	return machine, err
}

func TestACreationCancelledOnceTheMachineIsMadeLeavesNothing(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	p := newPool(t, r.store, &lateCancel{r.driver, cancel})
	t.Cleanup(p.Close)
	ada, err := p.For(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ada.Create(ctx, pool.CreateRequest{Name: "a", Language: fake.LanguageID}, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("Create = %v, want cancelled", err)
	}
	if vms, err := r.List(t.Context(), db.VMFilter{}, true); err != nil || len(vms) != 0 {
		t.Errorf("rows left: %v, %v", vms, err)
	}
	if machines, err := r.driver.List(t.Context(), r.store.Instance()); err != nil || len(machines) != 0 {
		t.Errorf("machines left: %v, %v", machines, err)
	}
}

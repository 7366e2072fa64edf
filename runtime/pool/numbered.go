package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
)

// CreateNumbered makes a VM of a language under the first name of the form
// python-1 that is free.
func (t *Tenant) CreateNumbered(ctx context.Context, language string, progress runtime.Progress) (db.VirtualMachine, error) {
	for n := 1; ; n++ {
		vm, err := t.Create(ctx, CreateRequest{Name: fmt.Sprintf("%s-%d", plainName(language), n), Language: language}, progress)
		if !errors.Is(err, ErrExists) {
			return vm, err
		}
	}
}

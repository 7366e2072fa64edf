package main

import (
	"context"
	"fmt"
	"io"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

// each applies something to several VMs, one after the other. A failure is told
// and does not keep the others from their turn.
func (t *terminal) each(ctx context.Context, vms []string, do func(handlers.ID) error) error {
	var failed error
	for _, vm := range vms {
		err := do(handlers.ParseID(vm))
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil && len(vms) == 1:
			return err
		case err != nil:
			t.complain(err)
			failed = errSilent
		}
	}
	return failed
}

// change applies a life-cycle method to several VMs and tells what each is now.
func (t *terminal) change(ctx context.Context, method string, vms []string, force bool) error {
	return t.each(ctx, vms, func(id handlers.ID) error {
		var params any = handlers.ForceParams{ID: id, Force: force, Tokens: withProgress}
		if method == "vm/start" {
			params = handlers.IDParams{ID: id, Tokens: withProgress}
		}
		return callAndPrint(ctx, t, method, params, writeChanged)
	})
}

func writeChanged(w io.Writer, p show.Palette, vm handlers.VM) error {
	_, err := fmt.Fprintf(w, "VM %s is %s\n", p.Paint(show.Bold, vm.Name), p.Paint(statusColour(vm.Status), vm.Status))
	return err
}

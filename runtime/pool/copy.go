package pool

import (
	"context"
	"io"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
)

// CopyOut writes what stands at a path in a VM to w, as package agent/archive has
// it. What comes is the VM's and may be hostile.
func (t *Tenant) CopyOut(ctx context.Context, vm db.VirtualMachine, path string, w io.Writer) error {
	return t.onFile(ctx, vm, path, func(ctx context.Context, client *agent.Client, run agent.Run) error {
		run.Timeout = 0 // as long as it takes
		return client.PackFiles(ctx, run, path, w)
	})
}

// CopyIn puts a tree from r, as package agent/archive has it, at a path in a VM:
// in a folder that is there under that name, else in the path's own place.
func (t *Tenant) CopyIn(ctx context.Context, vm db.VirtualMachine, name, path string, r io.Reader) (agent.Skipped, error) {
	var skipped agent.Skipped
	err := t.onFile(ctx, vm, path, func(ctx context.Context, client *agent.Client, run agent.Run) (err error) {
		run.Timeout = 0
		skipped, err = client.UnpackFiles(ctx, run, name, path, r)
		return err
	})
	return skipped, err
}

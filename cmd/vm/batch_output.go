package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

// batchOutput shows the output of several VMs, line by line behind their names.
type batchOutput struct {
	t       *terminal
	ctx     context.Context // of the batch
	names   map[int64]string
	widest  int
	streams map[streamOf]*show.Prefixed
}

type streamOf struct {
	vm     int64
	stderr bool
}

// newBatchOutput is for a batch in the VMs chosen, or in all that run, or in
// those of a matrix, which are known by their language.
func (t *terminal) newBatchOutput(ctx context.Context, vms []handlers.VM, params handlers.BatchParams) *batchOutput {
	o := &batchOutput{t: t, ctx: ctx, names: map[int64]string{}, streams: map[streamOf]*show.Prefixed{}}
	for _, language := range params.Matrix {
		o.widest = max(o.widest, show.Width(language))
	}
	for _, vm := range vms {
		o.names[vm.ID] = vm.Name
		named := slices.Contains(params.VMIDs, handlers.ID{Number: vm.ID}) || slices.Contains(params.VMIDs, handlers.ID{Name: vm.Name})
		if named || len(params.VMIDs) == 0 && len(params.Matrix) == 0 && vm.Status == "running" {
			o.widest = max(o.widest, show.Width(vm.Name))
		}
	}
	return o
}

// name is what a VM's lines bear. One that was not there before belongs to a
// matrix.
func (o *batchOutput) name(id int64) string {
	if name, ok := o.names[id]; ok {
		return name
	}
	vm, err := call[handlers.VM](o.ctx, o.t, "vm/get", handlers.IDParams{ID: handlers.ID{Number: id}})
	if err != nil {
		return fmt.Sprint(id) // removed already
	}
	o.names[id] = vm.Language
	return vm.Language
}

// take is called by the runs side by side; the client lets one in at a time.
func (o *batchOutput) take(chunk handlers.OutputChunk) {
	if chunk.Text == "" {
		return
	}
	key := streamOf{chunk.VMID, chunk.Stream == "stderr"}
	w := o.streams[key]
	if w == nil {
		to := o.t.stdout
		if key.stderr {
			to = o.t.stderr
		}
		prefix := fmt.Sprintf("%-*s │ ", o.widest, o.name(key.vm))
		w = &show.Prefixed{W: o.t.status.above(to), Prefix: o.t.palette(to).Paint(show.Several(int(key.vm)), prefix)}
		o.streams[key] = w
	}
	_, _ = w.Write([]byte(chunk.Text)) // nobody reads it; the table comes all the same
}

func (o *batchOutput) flush() {
	for _, w := range o.streams {
		_ = w.Flush()
	}
}

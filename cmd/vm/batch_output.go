package main

import (
	"fmt"
	"slices"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

// batchOutput shows the output of several VMs, line by line behind their names.
type batchOutput struct {
	t       *terminal
	names   map[int64]string
	widest  int
	streams map[streamOf]*show.Prefixed
}

type streamOf struct {
	vm     int64
	stderr bool
}

// newBatchOutput is for a batch in the VMs chosen, or in all that run.
func (t *terminal) newBatchOutput(vms []handlers.VM, chosen []handlers.ID) *batchOutput {
	o := &batchOutput{t: t, names: map[int64]string{}, streams: map[streamOf]*show.Prefixed{}}
	for _, vm := range vms {
		o.names[vm.ID] = vm.Name
		named := slices.Contains(chosen, handlers.ID{Number: vm.ID}) || slices.Contains(chosen, handlers.ID{Name: vm.Name})
		if named || len(chosen) == 0 && vm.Status == "running" {
			o.widest = max(o.widest, show.Width(vm.Name))
		}
	}
	return o
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
		prefix := fmt.Sprintf("%-*s │ ", o.widest, o.names[key.vm])
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

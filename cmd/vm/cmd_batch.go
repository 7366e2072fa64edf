package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func batchCommand(t *terminal) *cobra.Command {
	var f codeFlags
	var vms []string
	var parallel int
	cmd := &cobra.Command{
		Use:     "batch <code> [-- <argument>...]",
		GroupID: groupRun,
		Short:   "Run code in several VMs and compare",
		Long: `Run code in several VMs side by side, all running ones unless --vm names some.
Each one's output comes as it is written, behind the VM's name; in the end a
table compares them.`,
		Example: `  vm batch 'import sys; print(sys.version)'
  vm batch -f check.py --vm web,worker --timeout 10s`,
		Annotations: map[string]string{annotationRuns: "programs", annotationExit: `0    every program exited with 0
1    some did not
125  vm could not run any
130  cancelled, with Ctrl-C`},
		ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.read(cmd, t, args)
			if err != nil {
				return err
			}
			params := handlers.BatchParams{Run: c.Run, MaxParallel: parallel}
			for _, vm := range vms {
				params.VMIDs = append(params.VMIDs, handlers.ParseID(vm))
			}
			return batch(cmd.Context(), t, params)
		},
	}
	f.add(cmd, t)
	cmd.Flags().StringSliceVar(&vms, "vm", nil, "run it in these `VMs`, by name or id, with commas between")
	cmd.Flags().IntVar(&parallel, "parallel", 0, "in how `many` VMs at once (default 10)")
	completeFlag(cmd, "vm", t.vmNames(0))
	return cmd
}

func batch(ctx context.Context, t *terminal, params handlers.BatchParams) error {
	if t.json {
		result, err := call[handlers.BatchResult](ctx, t, "vm/batchExecute", params)
		if err != nil {
			return err
		}
		if err := writeJSON(t.stdout, result); err != nil {
			return err
		}
		return batchOutcome(result)
	}
	vms, err := call[handlers.ListResult](ctx, t, "vm/list", handlers.ListParams{})
	if err != nil {
		return err
	}
	params.Tokens = withProgress
	out := t.newBatchOutput(vms.VMs, params.VMIDs)
	t.client.output = out.take
	result, err := call[handlers.BatchResult](ctx, t, "vm/batchExecute", params)
	out.flush()
	if err != nil {
		return err
	}
	if err := t.table(batchTable(result)); err != nil {
		return err
	}
	t.tellGroups(result)
	return batchOutcome(result)
}

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

// batchTable compares how the code ended in each VM.
func batchTable(r handlers.BatchResult) ([]show.Column, [][]show.Cell) {
	columns := []show.Column{
		{Title: "VM", Least: 8}, {Title: "VERDICT"}, {Title: "EXIT", Right: true}, {Title: "TIME", Right: true, Drop: 1}, {Title: "FIRST LINE", Least: 12},
	}
	var rows [][]show.Cell
	for _, item := range r.Results {
		e := item.Execution
		row := show.Cells(e.VMName, e.Verdict, exitText(e), show.Seconds(e.ExecutionTime), firstLine(e))
		row[0].Colour, row[1].Colour = show.Bold, verdictColour(e)
		if item.Failure != nil {
			row[1], row[2], row[3] = show.Cell{Text: "not run", Colour: show.Red}, show.Cell{}, show.Cell{}
		}
		rows = append(rows, row)
	}
	return columns, rows
}

// firstLine is the most telling line of an execution's output.
func firstLine(e handlers.Execution) string {
	if line := show.Line(e.Output); line != "" {
		return line
	}
	return show.Line(e.Error)
}

// tellGroups says which VMs answered alike, when not all did.
func (t *terminal) tellGroups(r handlers.BatchResult) {
	if len(r.Groups) < 2 {
		return
	}
	names := map[int64]string{}
	for _, item := range r.Results {
		names[item.VMID] = item.VMName
	}
	t.say("\nThe VMs gave %d different answers:", len(r.Groups))
	for _, g := range r.Groups {
		var alike []string
		for _, id := range g.VMIDs {
			alike = append(alike, names[id])
		}
		t.say("  exit %d, %s: %s", g.ExitCode, show.Count(strings.Count(g.Output, "\n"), "line", "lines"), show.List(alike))
	}
}

// batchOutcome is the exit code that a batch gives vm.
func batchOutcome(r handlers.BatchResult) error {
	notRun, failed := 0, 0
	for _, item := range r.Results {
		switch {
		case item.Failure != nil:
			notRun++
		case exitOf(item.Execution) != 0:
			failed++
		}
	}
	switch {
	case notRun > 0 && notRun == len(r.Results):
		return exitAs(exitNotRun)
	case notRun+failed > 0:
		return exitAs(exitFailed)
	}
	return nil
}

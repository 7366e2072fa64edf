package main

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func listCommand(t *terminal) *cobra.Command {
	var params handlers.ListParams
	var quiet bool
	cmd := &cobra.Command{
		Use:     "list",
		GroupID: groupVM,
		Short:   "List VMs",
		Example: `  vm list --status running --language python
  vm stop $(vm list -q --label team=web)`,
		Args:              takes(0, 0),
		ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return list(cmd.Context(), t, params, quiet)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&params.Status, "status", "", "only VMs in this `status`: "+statusList())
	flags.StringVarP(&params.Language, "language", "l", "", "only VMs of this `language`")
	flags.StringVar(&params.Label, "label", "", "only VMs with this label, `KEY[=VALUE]`")
	flags.BoolVarP(&params.AllUsers, "all-users", "a", false, "other users' VMs too")
	flags.BoolVarP(&quiet, "quiet", "q", false, "print names alone")
	completeFlag(cmd, "status", words(statuses...))
	completeFlag(cmd, "language", t.languageNames)
	return cmd
}

// statuses of VMs, as docs/protocol.md has them.
var statuses = []string{"creating", "running", "stopped", "snapshotting", "restoring", "error", "deleting"}

func statusList() string { return show.List(statuses) }

func list(ctx context.Context, t *terminal, params handlers.ListParams, quiet bool) error {
	result, err := call[handlers.ListResult](ctx, t, "vm/list", params)
	if err != nil {
		return err
	}
	return print(t, result, func(w io.Writer, _ show.Palette, r handlers.ListResult) error {
		if quiet {
			return printNames(w, r.VMs)
		}
		if len(r.VMs) == 0 {
			t.say("%s", nothingListed(params))
			return nil
		}
		return t.table(vmTable(r.VMs, params.AllUsers, time.Now()))
	})
}

func printNames(w io.Writer, vms []handlers.VM) error {
	for _, vm := range vms {
		if _, err := io.WriteString(w, vm.Name+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// nothingListed says what to do when there is nothing.
func nothingListed(p handlers.ListParams) string {
	if p.Status != "" || p.Language != "" || p.Label != "" {
		return "No VM is like that; vm list shows all of yours."
	}
	return "There is no VM yet. Make one:  vm create web python\nOr run code without one:      vm run -l python 'print(1)'"
}

// vmTable lays VMs out.
func vmTable(vms []handlers.VM, users bool, now time.Time) ([]show.Column, [][]show.Cell) {
	columns := []show.Column{
		{Title: "NAME", Least: 16}, {Title: "ID", Right: true, Drop: 1}, {Title: "STATUS"}, {Title: "LANGUAGE", Least: 10},
		{Title: "MADE OF", Least: 8, Drop: 5}, {Title: "CPU", Right: true, Drop: 6}, {Title: "MEMORY", Right: true, Drop: 4},
		{Title: "DISK", Right: true, Drop: 7}, {Title: "NETWORK", Drop: 3}, {Title: "MADE", Drop: 2},
	}
	if users {
		columns = slices.Insert(columns, 2, show.Column{Title: "USER", Least: 6})
	}
	var rows [][]show.Cell
	for _, vm := range vms {
		of := vm.Runtime
		if vm.Image != "" {
			of = vm.Runtime + " " + vm.Image
		}
		row := show.Cells(vm.Name, strconv.FormatInt(vm.ID, 10), vm.Status, vm.Language, of,
			strconv.FormatFloat(vm.CPULimit, 'g', -1, 64), show.Size(float64(vm.MemoryLimit)), show.Size(float64(vm.DiskLimit)),
			string(vm.Network.Mode), show.Ago(now, vm.CreatedAt))
		row[0].Colour, row[2].Colour = show.Bold, statusColour(vm.Status)
		if users {
			row = slices.Insert(row, 2, show.Cell{Text: vm.User})
		}
		rows = append(rows, row)
	}
	return columns, rows
}

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func snapshotsCommand(t *terminal) *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use:     "snapshots [vm] [snapshot]...",
		GroupID: groupVM,
		Short:   "List snapshots, or delete them",
		Example: `  vm snapshots web
  vm snapshots --delete web before-upgrade`,
		Args: func(cmd *cobra.Command, args []string) error {
			if remove {
				return takes(2, -1)(cmd, args)
			}
			return takes(0, 1)(cmd, args)
		},
		ValidArgsFunction: t.snapshotNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if remove {
				return deleteSnapshots(cmd.Context(), t, handlers.ParseID(args[0]), args[1:])
			}
			var params handlers.SnapshotsParams
			if len(args) == 1 {
				id := handlers.ParseID(args[0])
				params.ID = &id
			}
			return listSnapshots(cmd.Context(), t, params)
		},
	}
	cmd.Flags().BoolVar(&remove, "delete", false, "delete those that are named; others stay whole")
	return cmd
}

func deleteSnapshots(ctx context.Context, t *terminal, vm handlers.ID, names []string) error {
	return t.each(ctx, names, func(snapshot handlers.ID) error {
		params := handlers.OneSnapshotParams{ID: vm, Snapshot: snapshot, Tokens: withProgress}
		return callAndPrint(ctx, t, "vm/deleteSnapshot", params, func(w io.Writer, p show.Palette, _ handlers.Empty) error {
			_, err := fmt.Fprintf(w, "snapshot %s is deleted\n", p.Paint(show.Bold, nameOf(snapshot)))
			return err
		})
	})
}

func listSnapshots(ctx context.Context, t *terminal, params handlers.SnapshotsParams) error {
	result, err := call[handlers.SnapshotsResult](ctx, t, "vm/snapshots", params)
	if err != nil {
		return err
	}
	if t.json {
		return writeJSON(t.stdout, result)
	}
	if len(result.Snapshots) == 0 {
		t.say("There is no snapshot. Take one:  vm snapshot <vm>")
		return nil
	}
	vms, err := vmsByID(ctx, t)
	if err != nil {
		return err
	}
	return t.table(snapshotTable(result.Snapshots, vms, time.Now()))
}

// snapshotTable lays snapshots out, with their VMs' names.
func snapshotTable(list []handlers.Snapshot, vms map[int64]handlers.VM, now time.Time) ([]show.Column, [][]show.Cell) {
	columns := []show.Column{
		{Title: "NAME", Least: 12}, {Title: "ID", Right: true}, {Title: "VM", Least: 8}, {Title: "KIND", Drop: 2},
		{Title: "PARENT", Right: true, Drop: 3}, {Title: "SIZE", Right: true}, {Title: "TAKEN", Drop: 1}, {Title: "COMMENT", Drop: 4},
	}
	var rows [][]show.Cell
	for _, s := range list {
		parent := ""
		if s.Parent != 0 {
			parent = fmt.Sprint(s.Parent)
		}
		rows = append(rows, show.Cells(s.Name, fmt.Sprint(s.ID), vms[s.VMID].Name, s.Kind, parent, show.Bytes(s.SizeBytes), show.Ago(now, s.CreatedAt), s.Comment))
	}
	return columns, rows
}

// snapshotNames offers VMs, then the snapshots of the one on the line.
func (t *terminal) snapshotNames(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return t.vmNames(1)(cmd, args, typed)
	}
	id := handlers.ParseID(args[0])
	result, err := call[handlers.SnapshotsResult](cmd.Context(), t, "vm/snapshots", handlers.SnapshotsParams{ID: &id})
	if err != nil {
		return nil, noFiles
	}
	var names []string
	for _, s := range result.Snapshots {
		names = append(names, s.Name+"\t"+s.Kind)
	}
	return names, noFiles
}

package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func lsCommand(t *terminal) *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use:     "ls [<vm> [<path>]]",
		GroupID: groupVM,
		Short:   "List a VM's files; without a VM, the VMs",
		Long: `List a folder of a VM, the home of the VM's user when no path is given, or one
file. Without a VM it is vm list.`,
		Example: `  vm ls web
  vm ls web /etc -q`,
		Args:              takes(0, 2),
		ValidArgsFunction: t.vmNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return list(cmd.Context(), t, handlers.ListParams{}, quiet)
			}
			params := handlers.ListFilesParams{ID: handlers.ParseID(args[0])}
			if len(args) > 1 {
				params.Path = args[1]
			}
			return listFiles(cmd.Context(), t, params, quiet)
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print names alone")
	return cmd
}

func listFiles(ctx context.Context, t *terminal, params handlers.ListFilesParams, quiet bool) error {
	return callAndPrint(ctx, t, "vm/listFiles", params, func(w io.Writer, _ show.Palette, r handlers.ListFilesResult) error {
		if r.More {
			t.say("There are more than these %d.", len(r.Entries))
		}
		if quiet {
			return printEntries(w, r.Entries)
		}
		if len(r.Entries) == 0 {
			t.say("Nothing is in there.")
			return nil
		}
		return t.table(fileTable(r.Entries, time.Now()))
	})
}

// printEntries prints names, one a line, as they are: for programs.
func printEntries(w io.Writer, entries []handlers.FileEntry) error {
	for _, e := range entries {
		if _, err := fmt.Fprintln(w, e.Name); err != nil {
			return err
		}
	}
	return nil
}

func fileTable(entries []handlers.FileEntry, now time.Time) ([]show.Column, [][]show.Cell) {
	columns := []show.Column{
		{Title: "MODE", Drop: 2}, {Title: "SIZE", Right: true}, {Title: "CHANGED", Drop: 1}, {Title: "NAME", Least: 8},
	}
	var rows [][]show.Cell
	for _, e := range entries {
		mode, name, size, colour := fs.FileMode(e.Mode), e.Name, "", show.Plain
		switch e.Type {
		case "file":
			size = show.Bytes(e.SizeBytes)
		case "folder":
			mode, name, colour = mode|fs.ModeDir, name+"/", show.Cyan
		case "link":
			mode, name = mode|fs.ModeSymlink, name+" → "+e.Target
		}
		row := show.Cells(mode.String(), size, show.Ago(now, e.ModifiedAt), name)
		row[3].Colour = colour
		rows = append(rows, row)
	}
	return columns, rows
}

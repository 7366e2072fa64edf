package main

import (
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func executionsCommand(t *terminal) *cobra.Command {
	var params handlers.ExecutionsParams
	cmd := &cobra.Command{
		Use:     "executions [vm]",
		Aliases: []string{"history"},
		GroupID: groupRun,
		Short:   "List what was run, newest first",
		Example: `  vm executions web --limit 10
  vm executions --json`,
		Args:              takes(0, 1),
		ValidArgsFunction: t.vmNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				id := handlers.ParseID(args[0])
				params.ID = &id
			}
			if err := t.catchUp(cmd.Context()); err != nil {
				return err
			}
			return callAndPrint(cmd.Context(), t, "vm/executions", params, t.writeExecutions)
		},
	}
	cmd.Flags().IntVarP(&params.Limit, "limit", "n", 0, "how `many` (default 50)")
	cmd.Flags().Int64Var(&params.Before, "before", 0, "go back from this `execution`")
	return cmd
}

func (t *terminal) writeExecutions(_ io.Writer, _ show.Palette, r handlers.ExecutionsResult) error {
	if len(r.Executions) == 0 {
		t.say("Nothing was run yet. Run something:  vm run -l python 'print(1)'")
		return nil
	}
	return t.table(executionTable(r.Executions, time.Now()))
}

// executionTable lays a history out.
func executionTable(list []handlers.Execution, now time.Time) ([]show.Column, [][]show.Cell) {
	columns := []show.Column{
		{Title: "ID", Right: true}, {Title: "VM", Least: 12}, {Title: "LANGUAGE", Least: 10, Drop: 3}, {Title: "VERDICT"},
		{Title: "EXIT", Right: true}, {Title: "TIME", Right: true, Drop: 2}, {Title: "BEGAN", Drop: 1}, {Title: "CODE", Least: 16},
	}
	var rows [][]show.Cell
	for _, e := range list {
		took := show.Seconds(e.ExecutionTime)
		if e.Verdict == "running" {
			took = ""
		}
		row := show.Cells(strconv.FormatInt(e.ID, 10), e.VMName, e.Language, e.Verdict, exitText(e), took, show.Ago(now, e.ExecutedAt), e.Code)
		row[3].Colour = verdictColour(e)
		rows = append(rows, row)
	}
	return columns, rows
}

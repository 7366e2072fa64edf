package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func logsCommand(t *terminal) *cobra.Command {
	var tail int
	cmd := &cobra.Command{
		Use:               "logs <vm>",
		GroupID:           groupVM,
		Short:             "Show a VM's own log: boot, provisioning, console",
		Long:              "Show a VM's own log: boot, provisioning, console. What programs printed is in the\nhistory: vm executions.",
		Example:           `  vm logs web --tail 50`,
		Args:              takes(1, 1),
		ValidArgsFunction: t.vmNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			params := handlers.LogsParams{ID: handlers.ParseID(args[0]), Tail: tail}
			return callAndPrint(cmd.Context(), t, "vm/logs", params, t.writeLogs)
		},
	}
	cmd.Flags().IntVarP(&tail, "tail", "n", 0, "how many `lines` from its end (default 200)")
	return cmd
}

func (t *terminal) writeLogs(w io.Writer, p show.Palette, r handlers.LogsResult) error {
	if len(r.Lines) == 0 {
		t.say("The log is empty.")
	}
	for _, line := range r.Lines {
		at := line.Time.Local().Format("2006-01-02 15:04:05")
		_, err := fmt.Fprintf(w, "%s  %s  %s\n", p.Paint(show.Dim, at), p.Paint(show.Cyan, fmt.Sprintf("%-7s", show.Line(line.Stream))), show.Line(line.Text))
		if err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func sessionsCommand(t *terminal) *cobra.Command {
	var toClose string
	cmd := &cobra.Command{
		Use:     "sessions <vm>",
		GroupID: groupRun,
		Short:   "List the interpreters that a VM keeps, or close one",
		Long: `List the interpreters that a VM keeps. vm execute --session NAME makes one and
comes back to it; it ends with --close, or when its VM stops. Closing one and
using its name again begins with no variables.`,
		Example: `  vm sessions web
  vm sessions web --close s`,
		Args:              takes(1, 1),
		ValidArgsFunction: t.vmNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := handlers.ParseID(args[0])
			if toClose != "" {
				_, err := call[handlers.Empty](cmd.Context(), t, "vm/closeSession", handlers.SessionParams{ID: id, Session: toClose})
				return err
			}
			return listSessions(cmd.Context(), t, id)
		},
	}
	cmd.Flags().StringVar(&toClose, "close", "", "end the interpreter of this `session`, and what runs in it")
	return cmd
}

func listSessions(ctx context.Context, t *terminal, id handlers.ID) error {
	return callAndPrint(ctx, t, "vm/sessions", handlers.IDParams{ID: id}, func(_ io.Writer, _ show.Palette, r handlers.SessionsResult) error {
		if len(r.Sessions) == 0 {
			t.say("It keeps no interpreter. Begin a session:  vm execute <vm> --session NAME CODE")
			return nil
		}
		return t.table(sessionTable(r.Sessions, time.Now()))
	})
}

func sessionTable(list []handlers.SessionState, now time.Time) ([]show.Column, [][]show.Cell) {
	columns := []show.Column{{Title: "NAME"}, {Title: "LANGUAGE"}, {Title: "STATE"}, {Title: "STARTED"}, {Title: "USED"}}
	var rows [][]show.Cell
	for _, s := range list {
		state := "alive"
		if !s.Alive {
			state = "ended"
		}
		rows = append(rows, show.Cells(s.Name, s.Language, state, show.Ago(now, s.StartedAt), show.Ago(now, s.LastUsedAt)))
	}
	return columns, rows
}

// tellSession prints a session's value, as its interpreter would, and what is to
// be known of the interpreter.
func (t *terminal) tellSession(e handlers.Execution) {
	p := t.palette(t.stderr)
	if e.SessionNote != "" {
		t.say("%s %s", p.Paint(show.Yellow, "vm:"), e.SessionNote)
	}
	if e.Result != "" {
		_, _ = io.WriteString(t.status.above(t.stdout), e.Result+"\n") // a reader that has gone misses it
	}
}

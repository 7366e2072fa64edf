package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/handlers"
)

func eventsCommand(t *terminal) *cobra.Command {
	var params handlers.EventsParams
	var vm string
	var since secondsFlag
	var follow bool
	cmd := &cobra.Command{
		Use:     "events",
		GroupID: groupPool,
		Short:   "List security events, or follow them",
		Example: `  vm events --severity warning --since 24h
  vm events --follow --json`,
		Args:              takes(0, 0),
		ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if vm != "" {
				id := handlers.ParseID(vm)
				params.ID = &id
			}
			if since.value != nil {
				from := time.Now().Add(-seconds(*since.value)).UTC()
				params.Since = &from
			}
			if follow {
				return followEvents(cmd.Context(), t, params)
			}
			return callAndPrint(cmd.Context(), t, "vm/events", params, t.writeEvents)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&vm, "vm", "", "only those of this `VM`")
	flags.StringVar(&params.Severity, "severity", "", "only this severity and worse: info, warning, error, critical")
	flags.Var(&since, "since", "only those of this time until now, such as 24h")
	flags.IntVarP(&params.Limit, "limit", "n", 0, "how `many` (default 50)")
	flags.BoolVar(&follow, "follow", false, "go on with new ones as they come, until Ctrl-C")
	completeFlag(cmd, "vm", t.vmNames(0))
	completeFlag(cmd, "severity", words("info", "warning", "error", "critical"))
	return cmd
}

// writeEvents shows a list, which comes newest first, in reading order.
func (t *terminal) writeEvents(w io.Writer, p show.Palette, r handlers.EventsResult) error {
	if len(r.Events) == 0 {
		t.say("There are no such events.")
	}
	for _, e := range slices.Backward(r.Events) {
		if err := writeEvent(w, p, e); err != nil {
			return err
		}
	}
	return nil
}

// typeWidth holds the longest of the types.
const typeWidth = len("execution.outOfMemory")

func writeEvent(w io.Writer, p show.Palette, e handlers.Event) error {
	at := e.Time.Local().Format("2006-01-02 15:04:05")
	severity := p.Paint(severityColour(e.Severity), fmt.Sprintf("%-8s", e.Severity))
	_, err := fmt.Fprintf(w, "%s  %s  %-*s  %s\n", p.Paint(show.Dim, at), severity, typeWidth, show.Line(e.Type), show.Line(e.Message))
	return err
}

func severityColour(severity string) show.Colour {
	switch severity {
	case "info":
		return show.Plain
	case "warning":
		return show.Yellow
	}
	return show.Red
}

// followEvents shows what there is and then what comes, by whatever process, one
// JSON object a line with --json. Its regular end is an interrupt.
func followEvents(ctx context.Context, t *terminal, params handlers.EventsParams) error {
	scope, err := t.open(ctx)
	if err != nil {
		return err
	}
	changes := scope.Watch(ctx) // before the list, so that nothing falls between
	var last int64
	for {
		result, err := call[handlers.EventsResult](ctx, t, "vm/events", params)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(result.Events) {
			if e.ID <= last {
				continue
			}
			last = e.ID
			if err := print(t, e, writeEvent); err != nil {
				return err
			}
		}
		if !eventCame(changes) {
			return nil
		}
	}
}

// eventCame waits for news of the feed; false = there will be none.
func eventCame(changes <-chan db.Change) bool {
	for change := range changes {
		if change.Table == "events" || change.Kind == db.Resync {
			return true
		}
	}
	return false
}

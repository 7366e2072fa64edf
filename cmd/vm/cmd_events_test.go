package main

import (
	"strings"
	"testing"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

// TestEventColumns holds the messages of all kinds of events below each other.
func TestEventColumns(t *testing.T) {
	at := -1
	for _, kind := range []string{"vm.created", "vm.snapshotDeleted", "execution.timeout", "execution.outOfMemory"} {
		var line strings.Builder
		if err := writeEvent(&line, show.Palette(false), handlers.Event{Severity: "info", Type: kind, Message: "MESSAGE"}); err != nil {
			t.Fatal(err)
		}
		got := strings.Index(line.String(), "  MESSAGE")
		if at < 0 {
			at = got
		}
		if got < 0 || got != at {
			t.Errorf("the message of %s begins at %d, others at %d: %q", kind, got, at, line.String())
		}
	}
}

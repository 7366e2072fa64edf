package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.lsp.dev/protocol"
)

// content is the text of a document of our own Scheme, which an editor opens from
// a link: an execution with all that its record has.
func content(ctx context.Context, s Scope, raw json.RawMessage) (any, error) {
	var p protocol.TextDocumentContentParams
	if err := protocol.Unmarshal(raw, &p); err != nil {
		return nil, unreadable(protocol.MethodWorkspaceTextDocumentContent, err)
	}
	number, ok := strings.CutPrefix(string(p.URI), Scheme+":/executions/")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return nil, badParams("uri", "there is no document "+short(string(p.URI)))
	}
	e, err := s.Execution(ctx, id)
	if err != nil {
		return nil, err
	}
	return asResult(protocol.TextDocumentContentResult{Text: report(s.execution(e))})
}

// report is an execution for people to read.
func report(x Execution) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Execution #%d in %s: %s\n%s, %s of processor time, %d MiB, at %s\n",
		x.ID, x.VMName, ended(x), duration(x.ExecutionTime), duration(x.CPUTime), x.PeakMemoryMiB, x.ExecutedAt.Local().Format("2006-01-02 15:04:05"))
	for _, part := range []struct {
		title, text string
		omitted     int64
	}{
		{"Code (" + x.Language + ")", x.Code, 0},
		{"Standard output", x.Output, x.Truncated.Stdout},
		{"Standard error", x.Error, x.Truncated.Stderr},
		{"Result", x.Result, 0},
		{"Session", x.SessionNote, 0},
	} {
		if part.text == "" {
			continue
		}
		fmt.Fprintf(&b, "\n── %s ──\n%s\n", part.title, strings.TrimRight(part.text, "\n"))
		if part.omitted > 0 {
			fmt.Fprintf(&b, "(%d bytes are left out of the middle)\n", part.omitted)
		}
	}
	return b.String()
}

package handlers

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"go.lsp.dev/protocol"

	"github.com/itechsmart/vm/handlers/document"
)

// result is what came of running a part of a document, for as long as that part
// is as it was.
type result struct {
	lines      document.Range
	executions []Execution // of each VM
	label      string
}

// end is where a result is shown: behind the last line that was run.
func (r result) end(d document.Document) document.Position {
	n := min(r.lines.End.Line, d.Count()-1)
	for n > r.lines.Start.Line && (n == r.lines.End.Line && r.lines.End.Character == 0 || strings.TrimSpace(d.Line(n)) == "") {
		n--
	}
	return document.Position{Line: n, Character: document.Units(d.Line(n))}
}

// keep remembers a result in the place of those of the same lines, and shows it.
// It is dropped when the document has changed while the program ran: its lines
// may be others now.
func (e *editor) keep(ctx context.Context, ran document.Document, r result) {
	if now, ok := e.documents.Get(ran.URI); !ok || now.Version != ran.Version {
		return
	}
	e.mu.Lock()
	var kept []result
	for _, old := range e.results[ran.URI] {
		if !overlap(old.lines, r.lines) {
			kept = append(kept, old)
		}
	}
	e.results[ran.URI] = append(kept, r)
	e.mu.Unlock()
	e.publish(ctx, ran.URI)
	e.refreshHints(ctx)
}

func overlap(a, b document.Range) bool {
	return a.Start.Line <= b.End.Line && b.Start.Line <= a.End.Line && before(a.Start, b.End) && before(b.Start, a.End)
}

func before(a, b document.Position) bool {
	return a.Line < b.Line || a.Line == b.Line && a.Character < b.Character
}

// outdate drops the results that changes have touched and moves those below
// them. It reports whether anything that is shown is another.
func (e *editor) outdate(key string, changes []document.Change) (changed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range changes {
		var kept []result
		for _, r := range e.results[key] {
			switch moved, stands := r.after(c); {
			case !stands:
				changed = true
			default:
				changed = changed || moved.lines != r.lines
				kept = append(kept, moved)
			}
		}
		e.results[key] = kept
	}
	return changed
}

// after is the result after a change; it does not stand when that touches its
// lines.
func (r result) after(c document.Change) (result, bool) {
	switch {
	case c.Range == nil:
		return r, false
	case c.Range.Start.Line > r.lines.End.Line:
		return r, true
	case c.Range.End.Line >= r.lines.Start.Line:
		return r, false
	}
	by := strings.Count(c.Text, "\n") - (c.Range.End.Line - c.Range.Start.Line)
	if by == 0 {
		return r, true
	}
	r.lines.Start.Line += by
	r.lines.End.Line += by
	moved := make([]Execution, len(r.executions))
	for i, x := range r.executions {
		diagnostics := make([]Diagnostic, len(x.Diagnostics))
		for n, d := range x.Diagnostics {
			d.Range.Start.Line += by
			d.Range.End.Line += by
			diagnostics[n] = d
		}
		x.Diagnostics = diagnostics
		moved[i] = x
	}
	r.executions = moved
	return r, true
}

// forget drops all results of a document.
func (e *editor) forget(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	had := len(e.results[key]) > 0
	delete(e.results, key)
	return had
}

// publish tells the client the diagnostics of a document as they are now.
func (e *editor) publish(ctx context.Context, key string) {
	diagnostics := []Diagnostic{}
	e.mu.Lock()
	for _, r := range e.results[key] {
		for _, x := range r.executions {
			diagnostics = append(diagnostics, x.Diagnostics...)
		}
	}
	e.mu.Unlock()
	params := struct {
		URI         string       `json:"uri"`
		Diagnostics []Diagnostic `json:"diagnostics"`
	}{key, diagnostics}
	// A client that is gone has no use for them.
	_ = e.client.Notify(context.WithoutCancel(ctx), protocol.MethodTextDocumentPublishDiagnostics, params)
}

// refreshPatience bounds the wait for a client to take notice of new hints.
const refreshPatience = time.Second

func (e *editor) refreshHints(ctx context.Context) {
	w := e.capabilities.Workspace
	if w == nil || w.InlayHint == nil || w.InlayHint.RefreshSupport == nil || !*w.InlayHint.RefreshSupport {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshPatience)
	defer cancel()
	_ = e.client.Call(ctx, protocol.MethodWorkspaceInlayHintRefresh, nil, nil) // it asks again anyway, later
}

// moveColumns puts back, in the diagnostics of one document, the indentation that
// a selection was run without.
func moveColumns(diagnostics []Diagnostic, uri string, by int) {
	if by == 0 {
		return
	}
	move := func(r *Range) {
		r.Start.Character += by
		r.End.Character += by
	}
	for i := range diagnostics {
		move(&diagnostics[i].Range)
		for n := range diagnostics[i].RelatedInformation {
			if l := &diagnostics[i].RelatedInformation[n].Location; l.URI == uri {
				move(&l.Range)
			}
		}
	}
}

// inlayHint shows results behind the lines that were run.
func (e *editor) inlayHint(raw json.RawMessage) (any, error) {
	var p protocol.InlayHintParams
	if err := protocol.Unmarshal(raw, &p); err != nil {
		return nil, unreadable(protocol.MethodTextDocumentInlayHint, err)
	}
	d, err := e.opened(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	asked, padding := fromWire(p.Range), true
	hints := []protocol.InlayHint{}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.results[d.URI] {
		at := r.end(d)
		if at.Line < asked.Start.Line || at.Line > asked.End.Line {
			continue
		}
		hints = append(hints, protocol.InlayHint{
			Position: toWire(document.Range{Start: at}).Start, Label: protocol.String(r.label), PaddingLeft: &padding,
			Tooltip: &protocol.MarkupContent{Kind: protocol.MarkupKindMarkdown, Value: r.markdown()},
		})
	}
	return asResult(hints)
}

// hover tells of the run that a line was part of.
func (e *editor) hover(raw json.RawMessage) (any, error) {
	var p protocol.HoverParams
	if err := protocol.Unmarshal(raw, &p); err != nil {
		return nil, unreadable(protocol.MethodTextDocumentHover, err)
	}
	d, err := e.opened(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	line := int(p.Position.Line)
	e.mu.Lock()
	defer e.mu.Unlock()
	var at *result
	for i, r := range e.results[d.URI] {
		if r.lines.Start.Line <= line && line <= r.end(d).Line {
			at = &e.results[d.URI][i] // the smallest, of those around each other, was run last
		}
	}
	if at == nil {
		return nil, nil
	}
	r := toWire(document.Range{Start: document.Position{Line: at.lines.Start.Line}, End: at.end(d)})
	return asResult(protocol.Hover{
		Contents: &protocol.MarkupContent{Kind: protocol.MarkupKindMarkdown, Value: at.markdown()}, Range: &r,
	})
}

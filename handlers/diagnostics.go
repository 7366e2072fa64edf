package handlers

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/lang"
)

// Scheme is that of documents which show what the server has: executions.
const Scheme = "itechsmart-vm"

// execution encodes an execution with its diagnostics.
func (s Scope) execution(e db.Execution) Execution {
	encoded := encodeExecution(e)
	for _, p := range s.Problems(e) {
		if d, ok := encodeProblem(e, p); ok {
			encoded.Diagnostics = append(encoded.Diagnostics, d)
		}
	}
	return encoded
}

// encodeProblem is a problem in the document that the code came from. It is none
// of that document when it is in another file.
func encodeProblem(e db.Execution, p lang.Problem) (Diagnostic, bool) {
	// A problem in a file beside the code shows where the code got there.
	at, calls := p.At, p.Calls
	for at.File != "" {
		if len(calls) == 0 {
			return Diagnostic{}, false
		}
		at, calls = calls[0], calls[1:]
	}
	d := Diagnostic{
		Range:    inDocument(e, at),
		Severity: map[lang.Severity]int{lang.Error: 1, lang.Warning: 2, lang.Note: 3}[p.Severity],
		Code:     fmt.Sprintf("#%d", e.ID), Source: e.VMName, Message: p.Message,
		CodeDescription: &CodeDescription{Href: executionURI(e.ID)},
	}
	if e.URI == "" {
		return d, true
	}
	if p.At.File != "" {
		d.RelatedInformation = append(d.RelatedInformation, related(e, p.At, p.Message))
	}
	for _, call := range calls {
		d.RelatedInformation = append(d.RelatedInformation, related(e, call, "called from here"))
	}
	return d, true
}

func related(e db.Execution, p lang.Place, message string) RelatedInformation {
	if p.Function != "" {
		message += ", in " + p.Function
	}
	return RelatedInformation{Message: message, Location: Location{URI: beside(e.URI, p.File), Range: inDocument(e, p)}}
}

// inDocument is a place's range. The code may begin further down in its document.
func inDocument(e db.Execution, p lang.Place) Range {
	line := p.Line
	if p.File == "" {
		line += e.StartLine
	}
	return Range{Start: Position{Line: line, Character: p.Start}, End: Position{Line: line, Character: p.End}}
}

// beside is the document of a file that was placed next to the code; the code's
// own for none.
func beside(uri, file string) string {
	if file == "" {
		return uri
	}
	folder := uri[:strings.LastIndex(uri, "/")+1]
	return folder + (&url.URL{Path: path.Clean(file)}).EscapedPath()
}

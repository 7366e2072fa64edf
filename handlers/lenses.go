package handlers

import (
	"encoding/json"

	"go.lsp.dev/protocol"

	"github.com/itechsmart/vm/handlers/document"
	"github.com/itechsmart/vm/runtime/lang"
)

// runKind is that of code actions which run something.
const runKind = protocol.CodeActionKind("source.itechsmart.run")

// codeLens offers to run what can be run, where it begins.
func (e *editor) codeLens(raw json.RawMessage) (any, error) {
	var p protocol.CodeLensParams
	if err := protocol.Unmarshal(raw, &p); err != nil {
		return nil, unreadable(protocol.MethodTextDocumentCodeLens, err)
	}
	d, err := e.opened(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	lenses := []protocol.CodeLens{}
	for _, b := range d.Blocks() {
		l, ok := e.languageOf(d, b.Language)
		if !ok {
			continue
		}
		at := toWire(document.Range{Start: document.Position{Line: b.Line}, End: document.Position{Line: b.Line}})
		for _, offer := range lensesOf(d, b, l) {
			command, err := offer.command()
			if err != nil {
				return nil, err
			}
			lenses = append(lenses, protocol.CodeLens{Range: at, Command: command})
		}
	}
	return asResult(lenses)
}

// offer is a command with its title.
type offer struct {
	title string
	run   runArguments
}

func (o offer) command() (protocol.Command, error) {
	argument, err := json.Marshal(o.run)
	return protocol.Command{Title: o.title, Command: runCommand, Arguments: []protocol.LSPAny{argument}}, err
}

func lensesOf(d document.Document, b document.Block, l lang.Language) []offer {
	run := runArguments{URI: d.URI, Range: wireRange(b.Code), Language: b.Language, Exact: true}
	if b.Kind == document.Cell && len(l.Session) > 0 {
		run.Session = cellSession
		return []offer{{"▶ Run cell in VM", run}}
	}
	everywhere := run
	everywhere.Target = targetAll
	return []offer{{"▶ Run in VM", run}, {"Run in all VMs", everywhere}}
}

// codeAction offers to run the selection, or else the line, and the file.
func (e *editor) codeAction(raw json.RawMessage) (any, error) {
	var p protocol.CodeActionParams
	if err := protocol.Unmarshal(raw, &p); err != nil {
		return nil, unreadable(protocol.MethodTextDocumentCodeAction, err)
	}
	d, err := e.opened(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	actions := []protocol.CommandOrCodeAction{}
	for _, o := range e.actionsOn(d, fromWire(p.Range)) {
		command, err := o.command()
		if err != nil {
			return nil, err
		}
		kind := runKind
		actions = append(actions, &protocol.CodeAction{Title: o.title, Kind: &kind, Command: command})
	}
	return asResult(actions)
}

func (e *editor) actionsOn(d document.Document, r document.Range) []offer {
	name, what := "", "line"
	if r.Start != r.End {
		what = "selection"
	}
	cell, inCell := d.CellAt(r.Start.Line)
	if inCell {
		name = cell.Language
	}
	l, ok := e.languageOf(d, name)
	if !ok {
		return nil
	}
	selection := runArguments{URI: d.URI, Range: wireRange(r), Language: name}
	everywhere := selection
	everywhere.Target = targetAll
	offers := []offer{{"Execute " + what + " in VM", selection}, {"Execute " + what + " in all VMs", everywhere}}
	if len(l.Session) > 0 {
		session := selection
		session.Session = cellSession
		offers = append(offers, offer{"Execute " + what + " in a session", session})
	}
	fresh := selection
	fresh.Target = targetScratch
	offers = append(offers, offer{"Execute " + what + " in a scratch VM", fresh})
	if inCell {
		offers = append(offers, offer{"Execute cell in VM", runArguments{URI: d.URI, Range: wireRange(cell.Code), Language: cell.Language, Exact: true}})
	}
	if d.Language != "markdown" {
		offers = append(offers, offer{"Execute file in VM", runArguments{URI: d.URI, Range: wireRange(d.All()), Exact: true}})
	}
	return offers
}

func wireRange(r document.Range) Range {
	return Range{Start: Position(r.Start), End: Position(r.End)}
}

package handlers

import (
	"context"
	"encoding/json"
	"sync"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"

	"github.com/itechsmart/vm/handlers/document"
	"github.com/itechsmart/vm/runtime/lang"
)

// editor is what a connection knows of its client as an editor: the documents
// that are open, and what came of running them.
type editor struct {
	client       Client
	capabilities protocol.ClientCapabilities
	documents    document.Store

	mu        sync.Mutex // guards what follows
	languages *lang.Table
	results   map[string][]result // by URI
	favourite map[string]string   // name of the VM used last, by language
	runs      map[string]context.CancelFunc
	tokens    int
}

func newEditor(client Client, capabilities protocol.ClientCapabilities, languages *lang.Table) *editor {
	return &editor{
		client: client, capabilities: capabilities, languages: languages,
		results: map[string][]result{}, favourite: map[string]string{}, runs: map[string]context.CancelFunc{},
	}
}

// documentMethods keep the documents in step: they run in the order of arrival.
var documentMethods = map[string]func(*editor, context.Context, json.RawMessage) error{
	protocol.MethodTextDocumentDidOpen:            (*editor).didOpen,
	protocol.MethodTextDocumentDidChange:          (*editor).didChange,
	protocol.MethodTextDocumentDidClose:           (*editor).didClose,
	protocol.MethodTextDocumentDidSave:            func(*editor, context.Context, json.RawMessage) error { return nil },
	protocol.MethodWindowWorkDoneProgressCancel:   (*editor).cancelRun,
	protocol.MethodWorkspaceDidChangeWatchedFiles: func(*editor, context.Context, json.RawMessage) error { return nil },
}

// featureMethods answer what an editor asks about a document.
var featureMethods = map[string]func(*editor, json.RawMessage) (any, error){
	protocol.MethodTextDocumentCodeLens:   (*editor).codeLens,
	protocol.MethodTextDocumentCodeAction: (*editor).codeAction,
	protocol.MethodTextDocumentHover:      (*editor).hover,
	protocol.MethodTextDocumentInlayHint:  (*editor).inlayHint,
}

// editorCapabilities are what the server does for every editor.
func editorCapabilities(commands []string) protocol.ServerCapabilities {
	sync, yes := protocol.TextDocumentSyncKindIncremental, true
	return protocol.ServerCapabilities{
		TextDocumentSync:       &protocol.TextDocumentSyncOptions{OpenClose: &yes, Change: &sync},
		CodeLensProvider:       &protocol.CodeLensOptions{},
		CodeActionProvider:     &protocol.CodeActionOptions{CodeActionKinds: []protocol.CodeActionKind{runKind}},
		HoverProvider:          protocol.Boolean(true),
		InlayHintProvider:      protocol.Boolean(true),
		ExecuteCommandProvider: protocol.ExecuteCommandOptions{Commands: commands},
		Workspace: &protocol.WorkspaceOptions{
			TextDocumentContent: &protocol.TextDocumentContentOptions{Schemes: []string{Scheme}},
		},
	}
}

func (e *editor) didOpen(_ context.Context, raw json.RawMessage) error {
	var p protocol.DidOpenTextDocumentParams
	if err := protocol.Unmarshal(raw, &p); err != nil {
		return unreadable(protocol.MethodTextDocumentDidOpen, err)
	}
	t := p.TextDocument
	e.documents.Open(document.New(string(t.URI), string(t.LanguageID), t.Version, t.Text))
	return nil
}

func (e *editor) didChange(ctx context.Context, raw json.RawMessage) error {
	var p protocol.DidChangeTextDocumentParams
	if err := protocol.Unmarshal(raw, &p); err != nil {
		return unreadable(protocol.MethodTextDocumentDidChange, err)
	}
	var changes []document.Change
	for _, c := range p.ContentChanges {
		switch c := c.(type) {
		case *protocol.TextDocumentContentChangePartial:
			r := fromWire(c.Range)
			changes = append(changes, document.Change{Range: &r, Text: c.Text})
		case *protocol.TextDocumentContentChangeWholeDocument:
			changes = append(changes, document.Change{Text: c.Text})
		}
	}
	key := string(p.TextDocument.URI)
	if err := e.documents.Change(key, p.TextDocument.Version, changes); err != nil {
		return badParams("textDocument.uri", err.Error())
	}
	if e.outdate(key, changes) {
		e.publish(ctx, key)
	}
	return nil
}

func (e *editor) didClose(ctx context.Context, raw json.RawMessage) error {
	var p protocol.DidCloseTextDocumentParams
	if err := protocol.Unmarshal(raw, &p); err != nil {
		return unreadable(protocol.MethodTextDocumentDidClose, err)
	}
	key := string(p.TextDocument.URI)
	e.documents.Close(key)
	if e.forget(key) {
		e.publish(ctx, key)
	}
	return nil
}

// languageOf is the row for a name that an editor or a Markdown block gives, or
// else for the document's file name.
func (e *editor) languageOf(d document.Document, name string) (lang.Language, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if name != "" {
		l, _, err := e.languages.Find(name)
		return l, err == nil
	}
	if l, _, err := e.languages.Find(d.Language); err == nil {
		return l, true
	}
	return e.languages.ForFile(d.URI)
}

func (e *editor) setLanguages(t *lang.Table) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.languages = t
}

// asResult encodes a result of LSP's own types.
func asResult(v any) (any, error) {
	text, err := protocol.Marshal(v)
	return json.RawMessage(text), err
}

func unreadable(method string, err error) error {
	return badParams("", "the params of "+method+" could not be read: "+err.Error())
}

func fromWire(r protocol.Range) document.Range {
	at := func(p protocol.Position) document.Position {
		return document.Position{Line: int(p.Line), Character: int(p.Character)}
	}
	return document.Range{Start: at(r.Start), End: at(r.End)}
}

func toWire(r document.Range) protocol.Range {
	at := func(p document.Position) protocol.Position {
		return protocol.Position{Line: uint32(max(0, p.Line)), Character: uint32(max(0, p.Character))}
	}
	return protocol.Range{Start: at(r.Start), End: at(r.End)}
}

// opened finds the document that a request is about.
func (e *editor) opened(u uri.URI) (document.Document, error) {
	d, ok := e.documents.Get(string(u))
	if !ok {
		return d, badParams("textDocument.uri", string(u)+" is not open")
	}
	return d, nil
}

package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"go.lsp.dev/protocol"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/handlers/document"
	"github.com/itechsmart/vm/runtime/lang"
)

// runCommand is the command behind lenses and code actions: it runs a part of an
// open document, so that an editor needs no code for it. Its one argument is a
// runArguments; its result an Execution, of all VMs a BatchResult, and null where
// the person who was asked for a VM wanted none.
const runCommand = "itechsmart.run"

// Targets of a run; none is a VM of the language.
const (
	targetAll     = "all"
	targetScratch = "scratch"
)

// cellSession is the session that cells share.
const cellSession = "cells"

// runArguments say what of a document is run, and where.
type runArguments struct {
	URI      string `json:"uri"`
	Range    Range  `json:"range"`
	Exact    bool   `json:"exact,omitzero"`     // the range as it is; else what a selection stands for
	Language string `json:"language,omitempty"` // empty = the document's
	Target   string `json:"target,omitempty"`
	Session  string `json:"session,omitempty"`
	Tokens
}

// run carries the command out and shows in the document what came of it.
func (e *editor) run(ctx context.Context, s Scope, raw json.RawMessage) (any, error) {
	var p runArguments
	if err := decode(raw, &p); err != nil {
		return nil, err
	}
	d, ok := e.documents.Get(p.URI)
	if !ok {
		return nil, badParams("uri", p.URI+" is not open")
	}
	l, ok := e.languageOf(d, p.Language)
	if !ok {
		return nil, badParams("language", "no language is known for "+p.URI)
	}
	selected := e.selected(d, p)
	if strings.TrimSpace(selected.Code) == "" {
		return nil, badParams("range", "there is nothing to run in that range")
	}
	ctx, tokens, end := e.cancellable(ctx, p.Tokens)
	defer end()
	r := wireRange(selected.Range)
	run := Run{Code: strings.ReplaceAll(selected.Code, "\r\n", "\n"), Language: l.ID, URI: p.URI, Range: &r, Tokens: tokens}
	if p.Target == targetAll {
		return e.runEverywhere(ctx, s, d, l, selected, run)
	}
	params := ExecuteParams{Run: run, Session: p.Session}
	if p.Target != targetScratch {
		vm, err := e.choose(ctx, s, l, tokens)
		if err != nil || vm.answer == dismissed {
			return nil, err
		}
		params.ID = vm.id
	}
	x, err := execute(ctx, s, params)
	if err != nil {
		return nil, err
	}
	moveColumns(x.Diagnostics, p.URI, selected.Indent)
	e.keep(ctx, d, result{lines: selected.Range, executions: []Execution{x}, label: label(x)})
	return x, nil
}

func (e *editor) selected(d document.Document, p runArguments) document.Selection {
	r := document.Range{Start: document.Position(p.Range.Start), End: document.Position(p.Range.End)}
	if p.Exact {
		return document.Selection{Code: d.Slice(r), Range: r}
	}
	return d.Select(r)
}

// runEverywhere runs in all running VMs of the language.
func (e *editor) runEverywhere(ctx context.Context, s Scope, d document.Document, l lang.Language, selected document.Selection, run Run) (any, error) {
	vms, err := e.candidates(ctx, s, l)
	if err != nil {
		return nil, err
	}
	if len(vms) == 0 {
		return nil, noVM(l)
	}
	params := BatchParams{Run: run}
	for _, vm := range vms {
		params.VMIDs = append(params.VMIDs, ID{Number: vm.ID})
	}
	b, err := batchExecute(ctx, s, params)
	if err != nil {
		return nil, err
	}
	var executions []Execution
	for i := range b.Results {
		moveColumns(b.Results[i].Diagnostics, run.URI, selected.Indent)
		executions = append(executions, b.Results[i].Execution)
	}
	e.keep(ctx, d, result{lines: selected.Range, executions: executions, label: batchLabel(b)})
	return b, nil
}

// choice is the VM that a run goes to: one with an id, or with none a scratch VM.
type choice struct {
	id     *ID
	answer string
}

// Answers of a person who is asked for a VM.
const (
	dismissed  = "dismissed"
	useScratch = "Use a scratch VM"
)

// choose finds the VM for a language: the only one that runs, or the one that was
// used last, or the oldest. When there is none, the person decides.
func (e *editor) choose(ctx context.Context, s Scope, l lang.Language, t Tokens) (choice, error) {
	vms, err := e.candidates(ctx, s, l)
	if err != nil {
		return choice{}, err
	}
	if len(vms) == 0 {
		return e.ask(ctx, s, l, t)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	vm := vms[0]
	for _, other := range vms {
		if other.Name == e.favourite[l.ID] {
			vm = other
		}
	}
	e.favourite[l.ID] = vm.Name
	return choice{id: &ID{Number: vm.ID}}, nil
}

// candidates are the user's running VMs of a language, oldest first. Scratch VMs
// are not his.
func (e *editor) candidates(ctx context.Context, s Scope, l lang.Language) ([]db.VirtualMachine, error) {
	vms, err := s.List(ctx, db.VMFilter{Status: []db.Status{db.Running}}, false)
	if err != nil {
		return nil, err
	}
	var fit []db.VirtualMachine
	for _, vm := range vms {
		if id, _, _ := strings.Cut(vm.Language, "@"); id == l.ID && !vm.Scratch {
			fit = append(fit, vm)
		}
	}
	return fit, nil
}

func noVM(l lang.Language) error {
	return &Error{Code: codeNotFound, Message: "no " + l.Name + " VM is running", Data: &ErrorData{Kind: "notFound", Hint: "create or start one"}}
}

// ask lets the person choose what to run in.
func (e *editor) ask(ctx context.Context, s Scope, l lang.Language, t Tokens) (choice, error) {
	create := fmt.Sprintf("Create a %s VM", l.Name)
	var answer *struct {
		Title string `json:"title"`
	}
	params, err := protocol.Marshal(protocol.ShowMessageRequestParams{
		Type: protocol.MessageTypeInfo, Message: "No " + l.Name + " VM is running.",
		Actions: []protocol.MessageActionItem{{Title: create}, {Title: useScratch}},
	})
	if err != nil {
		return choice{}, err
	}
	var reply json.RawMessage
	if err := e.client.Call(ctx, protocol.MethodWindowShowMessageRequest, json.RawMessage(params), &reply); err != nil {
		return choice{}, noVM(l) // the client cannot ask
	}
	if err := json.Unmarshal(reply, &answer); err != nil || answer == nil {
		return choice{answer: dismissed}, nil
	}
	if answer.Title != create {
		return choice{answer: useScratch}, nil
	}
	vm, err := s.createNumbered(ctx, l, t)
	return choice{id: &ID{Number: vm.ID}}, err
}

// createNumbered makes the VM that was asked for.
func (s Scope) createNumbered(ctx context.Context, l lang.Language, t Tokens) (db.VirtualMachine, error) {
	progress, end := s.progress(ctx, t, "Creating a "+l.Name+" VM")
	vm, err := s.CreateNumbered(ctx, l.ID, progress)
	end(err)
	return vm, err
}

// cancellable makes a run's progress known to a client that gave no token for it,
// if that client takes progress from servers, and lets it be cancelled there.
func (e *editor) cancellable(ctx context.Context, t Tokens) (context.Context, Tokens, func()) {
	window := e.capabilities.Window
	if len(t.WorkDoneToken) > 0 || window == nil || window.WorkDoneProgress == nil || !*window.WorkDoneProgress {
		return ctx, t, func() {}
	}
	e.mu.Lock()
	e.tokens++
	token := fmt.Sprintf("%q", fmt.Sprintf("itechsmart-run-%d", e.tokens))
	ctx, cancel := context.WithCancel(ctx)
	e.runs[token] = cancel
	e.mu.Unlock()
	end := func() {
		e.mu.Lock()
		delete(e.runs, token)
		e.mu.Unlock()
		cancel()
	}
	params := map[string]json.RawMessage{"token": json.RawMessage(token)}
	if err := e.client.Call(ctx, protocol.MethodWindowWorkDoneProgressCreate, params, nil); err != nil {
		return ctx, t, end // without progress, then
	}
	t.WorkDoneToken = json.RawMessage(token)
	return ctx, t, end
}

// cancelRun ends a run whose progress was cancelled in the editor.
func (e *editor) cancelRun(_ context.Context, raw json.RawMessage) error {
	var p struct {
		Token json.RawMessage `json:"token"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return unreadable(protocol.MethodWindowWorkDoneProgressCancel, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if cancel := e.runs[string(p.Token)]; cancel != nil {
		cancel()
	}
	return nil
}

package handlers

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/pool"
)

func execute(ctx context.Context, s Scope, p ExecuteParams) (Execution, error) {
	request, err := s.request(p.Run)
	if err != nil {
		return Execution{}, err
	}
	request.OpenStdin, request.Detach, request.Session = p.OpenStdin, p.Detach, p.Session
	vm, err := s.target(ctx, p)
	if err != nil {
		return Execution{}, err
	}
	o, flush := s.observe(ctx, p.Tokens)
	e, err := s.Execute(ctx, vm, request, o)
	flush()
	return s.answer(ctx, e, err)
}

// target is the VM that an execution names, or else a scratch VM.
func (s Scope) target(ctx context.Context, p ExecuteParams) (db.VirtualMachine, error) {
	if p.ID != nil {
		return s.get(ctx, *p.ID)
	}
	progress, end := s.progress(ctx, p.Tokens, "Preparing a scratch VM")
	vm, err := s.Scratch(ctx, p.Language, progress)
	end(err)
	return vm, err
}

// answer is what a caller gets for an execution: one that he cancelled is, on the
// wire, a cancelled request; its record is in the history.
func (s Scope) answer(ctx context.Context, e db.Execution, err error) (Execution, error) {
	if err == nil && ctx.Err() != nil && e.Verdict == string(agent.Cancelled) {
		return Execution{}, ctx.Err()
	}
	return s.execution(e), err
}

// request is a Run as the pool takes it.
func (s Scope) request(r Run) (pool.RunRequest, error) {
	request := pool.RunRequest{
		Code: []byte(r.Code), Language: r.Language, Stdin: []byte(r.Stdin), Args: r.Args, Env: r.Env,
		Cwd: r.Cwd, Timeout: r.Timeout, User: r.User, URI: r.URI, Checkpoint: r.Checkpoint, Workspace: r.Workspace,
	}
	if r.Workspace != "" && !s.OwnMachine {
		return request, badParams("workspace", "a workspace is a folder of the caller's own machine, and this server is not known to run there")
	}
	if r.Range != nil {
		request.StartLine = r.Range.Start.Line
	}
	var err error
	request.Files, err = filesOf(r.Files)
	return request, err
}

// filesOf are files as the pool takes them.
func filesOf(files []File) ([]agent.File, error) {
	var list []agent.File
	for i, f := range files {
		data := []byte(f.Content)
		if f.Encoding == "base64" {
			var err error
			if data, err = base64.StdEncoding.DecodeString(f.Content); err != nil {
				field := fmt.Sprintf("files[%d].content", i)
				return nil, badParams(field, field+" is not base64")
			}
		}
		list = append(list, agent.File{Path: f.Path, Data: data, Mode: f.Mode & 0o777})
	}
	return list, nil
}

func input(ctx context.Context, s Scope, p InputParams) (Empty, error) {
	return Empty{}, s.Input(ctx, p.ExecutionID, []byte(p.Text), p.EOF)
}

func signal(ctx context.Context, s Scope, p SignalParams) (Empty, error) {
	name := strings.ToUpper(p.Signal)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	return Empty{}, s.Signal(ctx, p.ExecutionID, name)
}

func attach(ctx context.Context, s Scope, p AttachParams) (Execution, error) {
	o, flush := s.observe(ctx, p.Tokens)
	e, err := s.Attach(ctx, p.ExecutionID, o)
	flush()
	return s.execution(e), err
}

func executions(ctx context.Context, s Scope, p ExecutionsParams) (ExecutionsResult, error) {
	vm, err := s.optional(ctx, p.ID)
	if err != nil {
		return ExecutionsResult{}, err
	}
	limit, err := bounded("limit", p.Limit, 50, 1000)
	if err != nil {
		return ExecutionsResult{}, err
	}
	history, err := s.Executions(ctx, vm, p.Before, limit)
	return ExecutionsResult{encodeAll(history, s.execution)}, err
}

// bounded is a count that a caller may give; 0 = the default.
func bounded(field string, value, otherwise, most int) (int, error) {
	switch {
	case value == 0:
		return otherwise, nil
	case value < 0 || value > most:
		return 0, badParams(field, fmt.Sprintf("%s is %d; it must be between 1 and %d", field, value, most))
	}
	return value, nil
}

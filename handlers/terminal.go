package handlers

import (
	"context"
	"fmt"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/pool"
)

// OpenTerminalParams describe a terminal to be opened, or name one that is open.
type OpenTerminalParams struct {
	ID         *ID    `json:"id,omitempty" doc:"the VM's id or name, for a new terminal"`
	TerminalID string `json:"terminalId,omitempty" doc:"a terminal that is open, instead of a new one: what it last showed is sent again"`
	Rows       int    `json:"rows" required:"true"`
	Cols       int    `json:"cols" required:"true"`
	Shell      string `json:"shell,omitempty" doc:"program; default: bash, or sh where there is none"`
	Term       string `json:"term,omitempty" doc:"kind of terminal, for TERM; default xterm-256color"`
	Tokens
}

// OpenTerminalResult names the terminal.
type OpenTerminalResult struct {
	TerminalID string `json:"terminalId" doc:"good for every process on the same database"`
}

// TerminalInputParams are keys typed.
type TerminalInputParams struct {
	TerminalID string `json:"terminalId" required:"true"`
	Data       string `json:"data" required:"true"`
	Tokens
}

// TerminalResizeParams are a terminal's new size.
type TerminalResizeParams struct {
	TerminalID string `json:"terminalId" required:"true"`
	Rows       int    `json:"rows" required:"true"`
	Cols       int    `json:"cols" required:"true"`
	Tokens
}

// TerminalParams name a terminal.
type TerminalParams struct {
	TerminalID string `json:"terminalId" required:"true"`
	Tokens
}

// TerminalOutput is what a terminal shows. It may come before the answer to
// vm/openTerminal.
type TerminalOutput struct {
	TerminalID string        `json:"terminalId"`
	Data       string        `json:"data" doc:"characters are whole; what is no UTF-8 is replaced"`
	Exit       *TerminalExit `json:"exit,omitempty" doc:"in the last one: the terminal is closed"`
}

// TerminalExit says how a terminal's shell ended.
type TerminalExit struct {
	Verdict  string `json:"verdict" enum:"exited,signaled,cancelled,outOfMemory,diskFull,pidsLimit,vmStopped,lost"`
	ExitCode int    `json:"exitCode"`
}

// mostCells bounds the sizes of a terminal's window.
const mostCells = 10_000

func window(rows, cols int) (agent.Window, error) {
	for field, n := range map[string]int{"rows": rows, "cols": cols} {
		if n < 1 || n > mostCells {
			return agent.Window{}, badParams(field, fmt.Sprintf("%s is %d; it must be between 1 and %d", field, n, mostCells))
		}
	}
	return agent.Window{Rows: uint16(rows), Cols: uint16(cols)}, nil
}

func openTerminal(ctx context.Context, s Scope, p OpenTerminalParams) (OpenTerminalResult, error) {
	size, err := window(p.Rows, p.Cols)
	if err != nil {
		return OpenTerminalResult{}, err
	}
	if s.terminals == nil {
		return OpenTerminalResult{}, errNoConnection
	}
	id := p.TerminalID
	switch {
	case id != "" && p.ID != nil:
		return OpenTerminalResult{}, badParams("id", "id is for a new terminal, terminalId for one that is open; not both")
	case id != "":
		err = s.ResizeTerminal(ctx, id, size)
	case p.ID == nil:
		err = badParams("id", "id is missing")
	default:
		id, err = s.newTerminal(ctx, *p.ID, pool.TerminalRequest{Window: size, Shell: p.Shell, Term: p.Term})
	}
	if err != nil {
		return OpenTerminalResult{}, err
	}
	s.terminals.open(id, func(ctx context.Context) { s.showTerminal(ctx, id) })
	return OpenTerminalResult{id}, nil
}

func (s Scope) newTerminal(ctx context.Context, id ID, r pool.TerminalRequest) (string, error) {
	vm, err := s.get(ctx, id)
	if err != nil {
		return "", err
	}
	return s.OpenTerminal(ctx, vm, r)
}

// showTerminal sends what a terminal shows until it is closed, or ctx ends. A
// client that does not read holds the terminal's programs back.
func (s Scope) showTerminal(ctx context.Context, id string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var characters decoder
	show := func(text []byte, exit *TerminalExit) {
		if len(text) == 0 && exit == nil {
			return
		}
		if s.Client.Notify(ctx, "vm/terminalOutput", TerminalOutput{id, string(text), exit}) != nil {
			cancel() // the client is gone
		}
	}
	result, err := s.FollowTerminal(ctx, id, func(_ agent.Stream, p []byte) { show(characters.append(nil, p), nil) })
	if ctx.Err() != nil {
		return
	}
	exit := TerminalExit{Verdict: string(result.Verdict), ExitCode: result.ExitCode}
	if err != nil {
		exit = TerminalExit{Verdict: "lost", ExitCode: -1}
	}
	show(characters.finish(nil), &exit)
}

func terminalInput(_ context.Context, s Scope, p TerminalInputParams) (Empty, error) {
	return Empty{}, s.toTerminal(p.TerminalID, len(p.Data), func(ctx context.Context) error {
		return s.TerminalInput(ctx, p.TerminalID, []byte(p.Data))
	})
}

// toTerminal has something done to a terminal that this connection shows.
func (s Scope) toTerminal(id string, weight int, do func(context.Context) error) error {
	if s.terminals == nil {
		return errNoConnection
	}
	return s.terminals.add(id, weight, do)
}

var errNoConnection = badParams("", "a terminal needs a connection that takes notifications")

func terminalResize(_ context.Context, s Scope, p TerminalResizeParams) (Empty, error) {
	size, err := window(p.Rows, p.Cols)
	if err != nil {
		return Empty{}, err
	}
	return Empty{}, s.toTerminal(p.TerminalID, 0, func(ctx context.Context) error {
		return s.ResizeTerminal(ctx, p.TerminalID, size)
	})
}

func closeTerminal(ctx context.Context, s Scope, p TerminalParams) (Empty, error) {
	return Empty{}, s.CloseTerminal(ctx, p.TerminalID)
}

package pool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
)

// TerminalRequest says what terminal is to be opened.
type TerminalRequest struct {
	Window agent.Window
	Shell  string // program; empty = bash, or sh where there is none
	Term   string // kind of terminal, for TERM; empty = xterm-256color
}

// defaultTerm is what editors' terminals and most others understand.
const defaultTerm = "xterm-256color"

// defaultShell replaces itself with the best shell that the VM has.
var defaultShell = []string{"sh", "-c", "command -v bash >/dev/null && exec bash; exec sh"}

// OpenTerminal starts a shell on a terminal in a VM and returns the terminal's
// id, by which any process on this database reaches it. It lives until its shell
// ends, it is closed, or the VM stops.
func (t *Tenant) OpenTerminal(ctx context.Context, vm db.VirtualMachine, r TerminalRequest) (string, error) {
	if r.Window.Rows == 0 || r.Window.Cols == 0 {
		return "", invalid("rows", "a terminal has at least one row and one column")
	}
	if strings.ContainsRune(r.Shell+r.Term, 0) {
		return "", invalid("shell", "the shell's name or the kind of terminal contains a NUL byte")
	}
	client, err := t.agents.get(ctx, vm)
	if err != nil {
		return "", t.unreachable(ctx, vm, err)
	}
	if r.Term == "" {
		r.Term = defaultTerm
	}
	token := strings.ToLower(rand.Text()[:8])
	run := agent.Run{
		ID: terminalRun(token), Command: defaultShell, Terminal: &r.Window, OpenStdin: true,
		Env: append(pairs(vm.Env), "TERM="+r.Term),
	}
	if r.Shell != "" {
		run.Command = []string{r.Shell}
	}
	hold(&run, vm)
	if err := client.Start(ctx, run); err != nil {
		return "", t.unreachable(ctx, vm, err)
	}
	t.inUse(ctx, vm)
	id := strconv.FormatInt(vm.ID, 10) + "-" + token
	t.event(ctx, vm, "info", "terminal.opened", fmt.Sprintf("a terminal was opened in VM %s", vm.Name), map[string]any{"terminalId": id})
	return id, nil
}

func terminalRun(token string) string { return "terminal-" + token }

// terminal is where an id leads.
type terminal struct {
	id     string
	vm     db.VirtualMachine
	client *agent.Client
	run    string
}

// terminal finds the VM and the run that a terminal's id names.
func (t *Tenant) terminal(ctx context.Context, id string) (terminal, error) {
	number, token, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || token == "" {
		return terminal{}, noTerminal(id)
	}
	vm, err := t.Get(ctx, n, "")
	if errors.Is(err, ErrNotFound) {
		return terminal{}, noTerminal(id)
	}
	if err != nil {
		return terminal{}, err
	}
	client, err := t.agents.get(ctx, vm)
	if err != nil {
		return terminal{}, t.unreachable(ctx, vm, err)
	}
	return terminal{id, vm, client, terminalRun(token)}, nil
}

func noTerminal(id string) error {
	return &Error{Kind: ErrNotFound, Field: "terminalId", Message: "there is no terminal " + quote(id) + ", or it has been closed"}
}

// failed maps an error of a terminal's agent.
func (t *Tenant) failed(ctx context.Context, at terminal, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, agent.ErrNotFound):
		return noTerminal(at.id)
	case errors.Is(err, agent.ErrClosed):
		return t.unreachable(ctx, at.vm, err)
	}
	return err
}

// FollowTerminal shows what a terminal has last shown, goes on live, and returns
// how its shell ended. When ctx ends first, the terminal goes on. While somebody
// follows, the VM is in use.
func (t *Tenant) FollowTerminal(ctx context.Context, id string, sink agent.Sink) (agent.Result, error) {
	at, err := t.terminal(ctx, id)
	if err != nil {
		return agent.Result{}, err
	}
	stopWatching := t.watchDisk(ctx, at.vm, at.client, at.run)
	defer stopWatching()
	stopUsing := t.keepInUse(ctx, at.vm)
	defer stopUsing()
	result, err := at.client.Follow(ctx, at.run, sink)
	switch {
	case ctx.Err() != nil:
		return result, ctx.Err()
	case errors.Is(err, agent.ErrClosed):
		return t.brokenTerminal(ctx, at.vm), nil
	case err != nil:
		return result, t.failed(ctx, at, err)
	}
	if result.Missing != "" {
		sink(agent.Stdout, fmt.Appendf(nil, "vm: there is no program %s in this VM\r\n", result.Missing))
	}
	_ = at.client.Forget(ctx, at.run) // another follower was faster
	return result, nil
}

// brokenTerminal is how a terminal ended whose agent cannot be asked any more.
func (t *Tenant) brokenTerminal(ctx context.Context, vm db.VirtualMachine) agent.Result {
	result := agent.Result{Verdict: verdictLost, ExitCode: -1}
	row, err := t.store.VM(ctx, vm.ID)
	if err == nil && row.Status == db.Running {
		row = t.observed(ctx, row)
	}
	if err != nil || row.Status != db.Running {
		result.Verdict = verdictVMStopped
	}
	return result
}

// keepInUse keeps a VM from being stopped as idle until stop is called.
func (t *Tenant) keepInUse(ctx context.Context, vm db.VirtualMachine) (stop func()) {
	every := usedEvery
	switch idle := seconds(vm.IdleTimeout); {
	case idle > 0:
		every = min(every, idle/3)
	case !vm.Scratch:
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				t.inUse(ctx, vm)
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// TerminalInput types into a terminal.
func (t *Tenant) TerminalInput(ctx context.Context, id string, data []byte) error {
	at, err := t.terminal(ctx, id)
	if err != nil {
		return err
	}
	return t.failed(ctx, at, at.client.Input(ctx, at.run, data, false))
}

// ResizeTerminal tells a terminal that its window has changed.
func (t *Tenant) ResizeTerminal(ctx context.Context, id string, window agent.Window) error {
	if window.Rows == 0 || window.Cols == 0 {
		return invalid("rows", "a terminal has at least one row and one column")
	}
	at, err := t.terminal(ctx, id)
	if err != nil {
		return err
	}
	return t.failed(ctx, at, at.client.Resize(ctx, at.run, window))
}

// CloseTerminal ends a terminal with all that runs in it.
func (t *Tenant) CloseTerminal(ctx context.Context, id string) error {
	at, err := t.terminal(ctx, id)
	if err != nil {
		return err
	}
	return t.failed(ctx, at, at.client.Kill(ctx, at.run, agent.Cancelled))
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

// terminal is where a command speaks to a person or a script, and the pool that
// it acts on, which is opened at the first need.
type terminal struct {
	stdin, stdout, stderr *os.File

	json       bool
	configFile string
	verbose    bool

	status *statusLine
	client *client

	scope  handlers.Scope
	opened func() // closes the pool; nil before it is open
}

func newTerminal() *terminal {
	t := &terminal{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	t.status = newStatusLine(t.stderr, isTerminal(t.stderr))
	t.client = &client{status: t.status}
	return t
}

// settings are those of the configuration file and the environment.
func (t *terminal) settings() (handlers.Settings, error) { return handlers.LoadSettings(t.configFile) }

// open makes the pool ready, once.
func (t *terminal) open(ctx context.Context) (handlers.Scope, error) {
	if t.opened != nil {
		return t.scope, nil
	}
	settings, err := t.settings()
	if err != nil {
		return handlers.Scope{}, err
	}
	err = t.openAs(ctx, settings, t.log())
	return t.scope, err
}

// openAs makes the pool ready with other settings, or another log.
func (t *terminal) openAs(ctx context.Context, settings handlers.Settings, log *slog.Logger) error {
	opened, err := open(ctx, settings, log)
	if err != nil {
		return err
	}
	tenant, err := opened.For(ctx, settings.UserName())
	if err != nil {
		opened.Close()
		return err
	}
	t.opened, t.scope = opened.Close, handlers.Scope{Tenant: tenant, Client: t.client, Output: t.client.takeOutput, OwnMachine: true}
	return nil
}

// close ends what open made. It may be repeated.
func (t *terminal) close() {
	if t.opened != nil {
		t.opened()
		t.opened = nil
	}
}

// log is for what a person need not know: errors that went nowhere else, or
// everything when asked for.
func (t *terminal) log() *slog.Logger {
	level := slog.LevelError
	if t.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(t.status.above(t.stderr), &slog.HandlerOptions{Level: level}))
}

// call runs a row of the method table in this process.
func call[R any](ctx context.Context, t *terminal, method string, params any) (R, error) {
	var none R
	m, ok := handlers.Find(method)
	if !ok {
		return none, fmt.Errorf("there is no method %s", method)
	}
	scope, err := t.open(ctx)
	if err != nil {
		return none, err
	}
	raw, err := json.Marshal(params)
	if err != nil {
		return none, err
	}
	result, err := m.Call(ctx, scope, raw)
	t.status.end()
	if err != nil {
		return none, err
	}
	return result.(R), nil
}

// print shows a method's result: as JSON when that was asked for, else by human.
func print[R any](t *terminal, result R, human func(w io.Writer, p show.Palette, r R) error) error {
	if t.json {
		return writeJSON(t.stdout, result)
	}
	return human(t.stdout, t.palette(t.stdout), result)
}

// callAndPrint does both.
func callAndPrint[R any](ctx context.Context, t *terminal, method string, params any, human func(w io.Writer, p show.Palette, r R) error) error {
	result, err := call[R](ctx, t, method, params)
	if err != nil {
		return err
	}
	return print(t, result, human)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// say tells a person, not a script, something beside the result.
func (t *terminal) say(format string, args ...any) {
	if !t.json {
		fmt.Fprintf(t.stderr, format+"\n", args...)
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// palette colours what goes to a terminal; NO_COLOR (no-color.org) and a dumb
// terminal are heeded.
func (t *terminal) palette(f *os.File) show.Palette {
	return show.Palette(isTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

// width is how many columns standard output has; 0 = unbounded, in a pipe.
func (t *terminal) width() int {
	if w, _, err := term.GetSize(int(t.stdout.Fd())); err == nil {
		return w
	}
	return 0
}

// table writes a table that fits standard output, in its own colours.
func (t *terminal) table(columns []show.Column, rows [][]show.Cell) error {
	return show.Table(t.stdout, t.width(), t.palette(t.stdout), columns, rows)
}

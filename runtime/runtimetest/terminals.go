package runtimetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
)

// screen is what came from a terminal.
type screen struct {
	mu      sync.Mutex // guards what follows
	text    bytes.Buffer
	changed chan struct{} // closed and replaced with every change
	ended   bool
	result  agent.Result
	err     error
}

// watch follows a run with a terminal; the function returned leaves it.
func (m *machine) watch(t *testing.T, id string) (*screen, func()) {
	s := &screen{changed: make(chan struct{})}
	ctx, leave := context.WithCancel(bounded(t))
	go func() {
		result, err := m.client.Follow(ctx, id, func(_ agent.Stream, p []byte) {
			s.change(func() { s.text.Write(p) })
		})
		s.change(func() { s.ended, s.result, s.err = true, result, err })
	}()
	return s, leave
}

func (s *screen) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until what was printed fulfils a condition, or the end.
func (s *screen) await(t *testing.T, what string, fulfilled func(text string, ended bool) bool) {
	t.Helper()
	for ctx := bounded(t); ; {
		s.mu.Lock()
		text, ended, changed := s.text.String(), s.ended, s.changed
		s.mu.Unlock()
		if fulfilled(text, ended) {
			return
		}
		if ended {
			t.Fatalf("ended before %s: %q, %v, %s", what, text, s.err, describe(s.result))
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("no %s in %q", what, text)
		}
	}
}

func (s *screen) awaitText(t *testing.T, want string) {
	t.Helper()
	s.await(t, want, func(text string, _ bool) bool { return strings.Contains(text, want) })
}

func (s *screen) awaitEnd(t *testing.T) agent.Result {
	t.Helper()
	s.await(t, "the end", func(_ string, ended bool) bool { return ended })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.result
}

// openTerminal starts a run on a terminal of 24 rows and 80 columns.
func (m *machine) openTerminal(t *testing.T, args ...string) agent.Run {
	t.Helper()
	run := m.program(args...)
	run.Terminal, run.OpenStdin = &agent.Window{Rows: 24, Cols: 80}, true
	if err := m.client.Start(bounded(t), run); err != nil {
		t.Fatal(err)
	}
	return run
}

func (m *machine) typeIn(t *testing.T, run agent.Run, keys string) {
	t.Helper()
	if err := m.client.Input(bounded(t), run.ID, []byte(keys), false); err != nil {
		t.Fatalf("input: %v", err)
	}
}

// testTerminal gives a program a terminal, several at once, and resizes one.
func testTerminal(t *testing.T, s *suite) {
	m := s.shared(t)
	first, second := m.openTerminal(t, "terminal"), m.openTerminal(t, "terminal")
	one, _ := m.watch(t, first.ID)
	two, _ := m.watch(t, second.ID)
	one.awaitText(t, "24 rows, 80 columns\r\n")
	two.awaitText(t, "24 rows, 80 columns\r\n")
	if err := m.client.Resize(bounded(t), first.ID, agent.Window{Rows: 50, Cols: 132}); err != nil {
		t.Fatal(err)
	}
	one.awaitText(t, "50 rows, 132 columns\r\n")
	m.typeIn(t, first, "привет\r")
	one.awaitText(t, "привет\r\ngot привет\r\n") // the echo, and the answer
	m.typeIn(t, first, "quit\r")
	expect(t, one.awaitEnd(t), agent.Exited, 0)
	m.typeIn(t, second, "\x04") // the end of input, typed
	expect(t, two.awaitEnd(t), agent.Exited, 0)
	if strings.Contains(two.text.String(), "132") || strings.Contains(two.text.String(), "got") {
		t.Errorf("the other terminal shows %q", two.text.String())
	}
	if err := m.client.Resize(bounded(t), first.ID, agent.Window{Rows: 1, Cols: 1}); err != nil {
		t.Errorf("resize after the end: %v", err)
	}
	if err := m.client.Resize(bounded(t), first.ID, agent.Window{}); !errors.Is(err, agent.ErrInvalid) {
		t.Errorf("resize to nothing: %v", err)
	}
}

// testTerminalKeys interrupts by key, and hangs up.
func testTerminalKeys(t *testing.T, s *suite) {
	m := s.shared(t)
	run := m.openTerminal(t, "sleep", "1h")
	shown, _ := m.watch(t, run.ID)
	shown.awaitText(t, "ready")
	m.typeIn(t, run, "\x03")
	if got := shown.awaitEnd(t); got.Signal != "SIGINT" {
		t.Errorf("after Ctrl-C: %s", describe(got))
	}

	run = m.openTerminal(t, "sleep", "1h")
	shown, _ = m.watch(t, run.ID)
	shown.awaitText(t, "ready")
	if err := m.client.Input(bounded(t), run.ID, nil, true); err != nil {
		t.Fatal(err)
	}
	if got := shown.awaitEnd(t); got.Signal != "SIGHUP" {
		t.Errorf("after hanging up: %s", describe(got))
	}

	// Whoever ignores the hang-up goes with the tree.
	run = m.openTerminal(t, "daemonize", "on-a-terminal", "hang")
	shown, _ = m.watch(t, run.ID)
	shown.awaitText(t, "ready")
	if err := m.client.Kill(bounded(t), run.ID, agent.Cancelled); err != nil {
		t.Fatal(err)
	}
	expect(t, shown.awaitEnd(t), agent.Cancelled, 137)
	if got := m.probe(t, "count", "on-a-terminal"); got != "0\n" {
		t.Errorf("still alive: %s", got)
	}
}

// testTerminalAgain leaves a terminal and comes back to what it showed.
func testTerminalAgain(t *testing.T, s *suite) {
	m := s.shared(t)
	run := m.openTerminal(t, "greet")
	shown, leave := m.watch(t, run.ID)
	shown.awaitText(t, "ready")
	leave()
	shown.await(t, "leaving", func(_ string, ended bool) bool { return ended })
	again, _ := m.watch(t, run.ID)
	again.awaitText(t, "ready")
	m.typeIn(t, run, "back\n")
	again.awaitText(t, "got back")
	expect(t, again.awaitEnd(t), agent.Exited, 0)
}

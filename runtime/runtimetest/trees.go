package runtimetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
)

// token marks the processes of one case.
func (m *machine) token() string { return fmt.Sprintf("token-%d", m.lastRun.Add(1)) }

// lingering tells how many of a case's daemons are alive.
func (m *machine) lingering(t *testing.T, token string) string {
	t.Helper()
	return strings.TrimSpace(m.probe(t, "count", token))
}

// testTimeoutKillsTree: the program and a daemon of its ignore SIGTERM; both are
// gone when the run has ended.
func testTimeoutKillsTree(t *testing.T, s *suite) {
	m := s.shared(t)
	token := m.token()
	var result agent.Result
	for limit := time.Second; limit < patience && len(result.Stdout.Head) == 0; limit *= 2 { // long enough for the print
		run := m.program("daemonize", token, "hang")
		run.Timeout = limit
		result = m.run(t, run)
	}
	if result.Verdict != agent.Timeout || string(result.Stdout.Head) != "ready\n" {
		t.Error(describe(result))
	}
	if n := m.lingering(t, token); n != "0" {
		t.Errorf("%s processes are left", n)
	}
}

func testCancelKillsTree(t *testing.T, s *suite) {
	m := s.shared(t)
	token := m.token()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result, err := m.client.Run(ctx, m.program("daemonize", token, "hang"), func(agent.Stream, []byte) { cancel() })
	if err != nil {
		t.Fatalf("a cancelled run: %v", err)
	}
	if result.Verdict != agent.Cancelled || string(result.Stdout.Head) != "ready\n" {
		t.Error(describe(result))
	}
	if n := m.lingering(t, token); n != "0" {
		t.Errorf("%s processes are left", n)
	}
}

// testChildHoldsPipe: the program ends, its daemon holds the output open. The
// run ends nevertheless, and the daemon with it.
func testChildHoldsPipe(t *testing.T, s *suite) {
	m := s.shared(t)
	token := m.token()
	result := m.run(t, m.program("daemonize", token))
	expect(t, result, agent.Exited, 0)
	if n := m.lingering(t, token); n != "0" {
		t.Errorf("%s processes are left", n)
	}
}

// testDetach: the daemon outlives its run, until somebody kills that.
func testDetach(t *testing.T, s *suite) {
	m := s.shared(t)
	token := m.token()
	run := m.program("daemonize", token)
	run.Detach = true
	expect(t, m.run(t, run), agent.Exited, 0)
	if n := m.lingering(t, token); n != "1" {
		t.Errorf("%s daemons, want one", n)
	}
	if err := m.client.Kill(t.Context(), run.ID, agent.Cancelled); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for m.lingering(t, token) != "0" {
		if ctx.Err() != nil {
			t.Fatal("the daemon survives Kill")
		}
	}
}

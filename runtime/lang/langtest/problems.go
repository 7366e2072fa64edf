package langtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

// Words in a program's comments: the line of the error, and those from which it
// was called.
const (
	markHere  = "HERE"
	markFrame = "FRAME"
)

// checkProblems holds what the language reads out of real messages against the
// marks in the program. The first problem is the one that counts.
func checkProblems(t *testing.T, l lang.Language, ran lang.Ran, got agent.Result) {
	t.Helper()
	var here, frames []int
	for i, line := range strings.Split(string(ran.Code), "\n") {
		switch {
		case strings.Contains(line, markHere):
			here = append(here, i)
		case strings.Contains(line, markFrame):
			frames = append(frames, i)
		}
	}
	if len(here) == 0 {
		return
	}
	problems := l.Problems(ran, got.Stderr.Head)
	if len(problems) == 0 {
		t.Fatalf("no problem was found in:\n%s", got.Stderr.Head)
	}
	p := problems[0]
	if p.At.File != "" || p.At.Line != here[0] || p.At.End <= p.At.Start || p.Message == "" {
		t.Errorf("the problem is %+v, want one in line %d; of:\n%s", p, here[0], got.Stderr.Head)
	}
	for _, line := range frames {
		if !slices.ContainsFunc(p.Calls, func(c lang.Place) bool { return c.Line == line }) {
			t.Errorf("line %d is not among the calls %+v; of:\n%s", line, p.Calls, got.Stderr.Head)
		}
	}
}

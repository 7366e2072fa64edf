package handlers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/handlers/document"
)

// What a change of the text does to a result in the lines 5 to 7.
func TestResultAfterChange(t *testing.T) {
	at := func(line int) document.Position { return document.Position{Line: line} }
	ran := func(first int) result {
		return result{
			lines:      document.Range{Start: at(first), End: at(first + 2)},
			executions: []Execution{{Diagnostics: []Diagnostic{{Range: Range{Start: Position{Line: first + 1}}}}}},
		}
	}
	change := func(from, to int, text string) document.Change {
		return document.Change{Range: &document.Range{Start: at(from), End: at(to)}, Text: text}
	}
	shift := func(by int) *result {
		r := ran(5 + by)
		r.executions[0].Diagnostics[0].Range.End.Line = by // of a range that had none
		return &r
	}
	same := ran(5)
	for name, c := range map[string]struct {
		change document.Change
		want   *result
	}{
		"of everything":          {document.Change{Text: "x"}, nil},
		"far below":              {change(9, 10, "a\nb\n"), &same},
		"in its last line":       {change(7, 7, "x"), nil},
		"in its middle":          {change(6, 6, ""), nil},
		"from above into it":     {change(2, 5, ""), nil},
		"above, in a line":       {change(2, 2, "x"), &same},
		"above, two lines more":  {change(2, 2, "a\nb\n"), shift(2)},
		"above, three lines off": {change(1, 4, ""), shift(-3)},
	} {
		t.Run(name, func(t *testing.T) {
			got, stands := ran(5).after(c.change)
			if stands != (c.want != nil) {
				t.Fatalf("it stands: %v", stands)
			}
			if stands {
				if diff := cmp.Diff(*c.want, got, cmp.AllowUnexported(result{})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestLabel(t *testing.T) {
	for want, x := range map[string]Execution{
		"→ 42 · 3.0 ms · box":       {Verdict: "exited", Result: "42", Output: "noise\n", ExecutionTime: 0.003, VMName: "box"},
		"→ last · 1.5 s · box":      {Verdict: "exited", Output: "first\nlast\n", ExecutionTime: 1.5, VMName: "box"},
		"→ · 20 ms · box":           {Verdict: "exited", ExecutionTime: 0.02, VMName: "box"},
		"✗ exit code 3 · 0.0 ms · ": {Verdict: "exited", ExitCode: 3},
		"✗ timeout SIGKILL · 0.0 ms · box": {
			Verdict: "timeout", Signal: "SIGKILL", VMName: "box",
		},
		"✗ boom · 0.0 ms · box": {Verdict: "exited", ExitCode: 1, VMName: "box", Diagnostics: []Diagnostic{{Severity: 2, Message: "mild"}, {Severity: 1, Message: "boom"}}},
	} {
		if got := label(x); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

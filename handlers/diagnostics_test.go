package handlers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/lang"
)

func TestEncodeProblem(t *testing.T) {
	e := db.Execution{ID: 12, VMName: "box", URI: "file:///home/a%20b/app.py", StartLine: 10}
	at := func(file string, line int) lang.Place { return lang.Place{File: file, Line: line, Start: 2, End: 5} }
	ranged := func(line int) Range { return Range{Start: Position{line, 2}, End: Position{line, 5}} }
	diagnostic := func(line int, related ...RelatedInformation) Diagnostic {
		return Diagnostic{
			Range: ranged(line), Severity: 1, Code: "#12", Source: "box", Message: "boom",
			CodeDescription: &CodeDescription{Href: "itechsmart-vm:/executions/12"}, RelatedInformation: related,
		}
	}
	tests := map[string]struct {
		problem lang.Problem
		want    *Diagnostic
	}{
		"in the code, which begins further down": {
			lang.Problem{Message: "boom", At: at("", 1), Calls: []lang.Place{at("", 3)}},
			new(diagnostic(11, RelatedInformation{Location{e.URI, ranged(13)}, "called from here"})),
		},
		"in a file beside it": {
			lang.Problem{Message: "boom", At: at("my lib/x.py", 1), Calls: []lang.Place{at("", 3)}},
			new(diagnostic(13, RelatedInformation{Location{"file:///home/a%20b/my%20lib/x.py", ranged(1)}, "boom"})),
		},
		"in a file that the code has nothing to do with": {lang.Problem{Message: "boom", At: at("x.py", 1)}, nil},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := encodeProblem(e, c.problem)
			if ok != (c.want != nil) {
				t.Fatalf("got one: %v", ok)
			}
			if ok {
				if diff := cmp.Diff(*c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

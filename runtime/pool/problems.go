package pool

import (
	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

// Problems reads what an execution's program, or the compiler, said about places
// in its code. Of one that succeeded these are warnings alone: what else it wrote
// was not why it ended.
func (p *Pool) Problems(e db.Execution) []lang.Problem {
	l, _, err := p.languages.Find(e.Language)
	if err != nil {
		return nil // its row is gone from the configuration
	}
	problems := l.Problems(lang.Ran{
		ID: runID(e.ID), FileName: documentName(e.URI, l), Code: e.Code, Session: e.Session != "",
	}, e.Error)
	if e.Verdict != string(agent.Exited) || e.ExitCode != 0 {
		return problems
	}
	var warnings []lang.Problem
	for _, problem := range problems {
		if problem.Severity != lang.Error {
			warnings = append(warnings, problem)
		}
	}
	return warnings
}

package main

import (
	"context"
	"fmt"

	"github.com/itechsmart/vm/handlers"
)

// interpreters measures the three ways that a one-liner's interpreter comes to be,
// beside a bare one on the host.
func interpreters(ctx context.Context, p *places, n int) (table, error) {
	path, err := p.same(ctx, "python3")
	if err != nil {
		return table{}, err
	}
	const code = "6 * 7"
	contenders := []contender{{name: "bare `python3 -c` on the host", do: bare(path, "-c", code)}}
	for _, s := range p.servers {
		for _, way := range []struct {
			name   string
			params map[string]any
		}{
			// A variable that acts at the start, and does nothing.
			{"started", map[string]any{"id": "python", "env": map[string]string{"PYTHONOPTIMIZE": "0"}}},
			{"forked from one that waits", map[string]any{"id": "python"}},
			// In another VM: no interpreter is started to wait while others are alive.
			{"kept in a session", map[string]any{"id": "bash", "language": "python", "session": "bench"}},
		} {
			way.params["code"] = code
			contenders = append(contenders, contender{name: way.name + ", " + s.name, do: func(ctx context.Context) error {
				var e handlers.Execution
				err := s.client.Call(ctx, "vm/execute", way.params, &e)
				if err == nil && (e.Verdict != "exited" || e.ExitCode != 0) {
					err = fmt.Errorf("%s with exit code %d: %s", e.Verdict, e.ExitCode, e.Error)
				}
				return err
			}})
		}
	}
	return measure(ctx, n, contenders)
}

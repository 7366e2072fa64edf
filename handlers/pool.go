package handlers

import (
	"context"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/pool"
)

func poolStatus(ctx context.Context, s Scope, _ NoParams) (PoolStatusResult, error) {
	use, err := s.Use(ctx)
	if err != nil {
		return PoolStatusResult{}, err
	}
	result := PoolStatusResult{
		User: Use{use.User, use.UserLimit}, Total: Use{use.Total, use.TotalLimit},
		ByStatus: map[string]int{}, Warm: use.Warm,
		Runtimes: encodeAll(s.Runtimes(ctx), encodeRuntime), Host: host(),
	}
	for status, n := range use.ByStatus {
		result.ByStatus[shown(status)] += n
	}
	return result, nil
}

func encodeRuntime(r pool.RuntimeState) RuntimeState {
	state := RuntimeState{Name: r.Name, Available: r.Err == nil, Version: r.Features.Version, Enforcement: r.Features.Enforcement}
	if r.Err != nil {
		state.Reason, state.Hint = runtime.Plain(r.Err), runtime.Hint(r.Err)
		state.Enforcement = runtime.Enforcement{CPU: runtime.None, Memory: runtime.None, Disk: runtime.None, Pids: runtime.None, Network: runtime.None}
	}
	for _, n := range r.Features.Notes {
		state.Notes = append(state.Notes, Note{n.Problem, n.Mend})
	}
	return state
}

func languages(ctx context.Context, s Scope, _ NoParams) (LanguagesResult, error) {
	states := s.Runtimes(ctx)
	return LanguagesResult{encodeAll(s.Languages().Languages(), func(l lang.Language) Language {
		return Language{
			ID: l.ID, Name: l.Name, Extensions: l.Extensions, Sessions: len(l.Session) > 0, Manager: l.Manager,
			Runtimes: s.RunsIn(ctx, l.ID, states),
		}
	})}, nil
}

func events(ctx context.Context, s Scope, p EventsParams) (EventsResult, error) {
	vm, err := s.optional(ctx, p.ID)
	if err != nil {
		return EventsResult{}, err
	}
	limit, err := bounded("limit", p.Limit, 50, 1000)
	if err != nil {
		return EventsResult{}, err
	}
	var since time.Time
	if p.Since != nil {
		since = *p.Since
	}
	list, err := s.Events(ctx, vm, p.Severity, since, limit)
	return EventsResult{encodeAll(list, encodeEvent)}, err
}

package handlers

import (
	"context"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
)

// SessionParams name a session of a VM.
type SessionParams struct {
	ID      ID     `json:"id" required:"true" doc:"the VM's id or name"`
	Session string `json:"session" required:"true"`
	Tokens
}

// SessionsResult holds sessions, by name.
type SessionsResult struct {
	Sessions []SessionState `json:"sessions"`
}

// SessionState is an interpreter that a VM keeps.
type SessionState struct {
	Name       string    `json:"name"`
	Language   string    `json:"language"`
	StartedAt  time.Time `json:"startedAt"`
	LastUsedAt time.Time `json:"lastUsedAt"`
	Alive      bool      `json:"alive" doc:"false: it has ended, and the next execution starts it anew"`
}

// Artifact is a plot, a table or another thing to be shown.
type Artifact struct {
	MIME string `json:"mime"`
	Name string `json:"name"`
	Data []byte `json:"data" doc:"base64"`
}

func sessions(ctx context.Context, s Scope, p IDParams) (SessionsResult, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return SessionsResult{}, err
	}
	list, err := s.Sessions(ctx, vm)
	return SessionsResult{encodeAll(list, func(state agent.SessionState) SessionState { return SessionState(state) })}, err
}

func closeSession(ctx context.Context, s Scope, p SessionParams) (Empty, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return Empty{}, err
	}
	return Empty{}, s.CloseSession(ctx, vm, p.Session)
}

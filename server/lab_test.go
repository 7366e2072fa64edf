package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/itechsmart/vm/handlers"
)

// lab is a dispatcher whose methods do what a test needs.
type lab struct {
	client  handlers.Client
	timid   bool         // nothing waits, and what is long is short
	told    atomic.Int64 // notifications that were taken
	holding atomic.Int64 // calls of hold under way

	mu        sync.Mutex
	gates     map[string]chan struct{}
	document  []string
	shutdowns int
}

func newLab() *lab { return &lab{gates: map[string]chan struct{}{}} }

type labNote struct {
	I    int    `json:"i"`
	Text string `json:"text"`
}

type labParams struct {
	Name string `json:"name"`
	Size int    `json:"size"`
	N    int    `json:"n"`
}

func (l *lab) Initialize(_ context.Context, client handlers.Client, params json.RawMessage) (any, error) {
	l.client = client
	if string(params) == `{"processId":-1}` {
		return nil, &handlers.Error{Code: handlers.CodeInvalidParams, Message: "processId is wrong",
			Data: &handlers.ErrorData{Kind: "invalidParams", Field: "processId"}}
	}
	return json.RawMessage(`{"capabilities":{}}`), nil
}

func (l *lab) Ordered(method string) bool {
	return method == "document/change" || method == "document/hold"
}

func (l *lab) Shutdown(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shutdowns++
	return nil
}

// gate returns what hold waits for and release opens.
func (l *lab) gate(name string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gates[name] == nil {
		l.gates[name] = make(chan struct{})
	}
	return l.gates[name]
}

func (l *lab) open(name string) {
	gate := l.gate(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-gate:
	default:
		close(gate)
	}
}

// openAll lets everybody go who still waits.
func (l *lab) openAll() {
	for _, name := range []string{"a", "b"} {
		l.open(name)
	}
}

func (l *lab) Handle(ctx context.Context, method string, params json.RawMessage) (any, error) {
	var p labParams
	_ = json.Unmarshal(params, &p) // some methods take anything
	if l.timid {
		p.N, p.Size = min(p.N, 10), min(p.Size, 10)
		switch method {
		case "hold", "document/hold", "stubborn", "insist", "complain", "ask":
			method = "nothing"
		}
	}
	switch method {
	case "initialized", "nothing":
		return nil, nil
	case "echo":
		return params, nil
	case "fail":
		return nil, fmt.Errorf("in the middle: %w", &handlers.Error{Code: -32010, Message: "no such VM",
			Data: &handlers.ErrorData{Kind: "notFound", Field: "id", Hint: "vm list"}})
	case "oops":
		return nil, errors.New("something broke")
	case "panic":
		panic("the secret of the house")
	case "unencodable":
		return func() {}, nil
	case "hold", "document/hold":
		return l.hold(ctx, p.Name)
	case "stubborn":
		<-l.gate(p.Name)
		return "late", nil
	case "insist": // succeeds although it was cancelled
		<-ctx.Done()
		return "done all the same", nil
	case "complain": // has its own view of being cancelled
		<-ctx.Done()
		return nil, errors.New("I was not finished")
	case "release":
		l.open(p.Name)
		return "released", nil
	case "document/change":
		l.mu.Lock()
		defer l.mu.Unlock()
		l.document = append(l.document, p.Name)
		return nil, nil
	case "document/get":
		l.mu.Lock()
		defer l.mu.Unlock()
		return append([]string{}, l.document...), nil
	case "ask":
		var answer json.RawMessage
		err := l.client.Call(ctx, "client/question", json.RawMessage(`{"q":1}`), &answer)
		return answer, err
	case "tell":
		for i := range p.N {
			note := labNote{I: i, Text: strings.Repeat("x", p.Size)}
			if err := l.client.Notify(ctx, "client/note", note); err != nil {
				return i, err
			}
			l.told.Add(1)
		}
		return p.N, nil
	}
	return nil, &handlers.Error{Code: handlers.CodeMethodNotFound, Message: "unknown method " + method}
}

func (l *lab) hold(ctx context.Context, name string) (any, error) {
	l.holding.Add(1)
	defer l.holding.Add(-1)
	select {
	case <-l.gate(name):
		return name, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

package handlers

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/itechsmart/vm/runtime/pool"
)

// ErrEnding is in the cause of the contexts that a server cancels because it
// ends, and not because a client asked for it: executions then go on in their
// VMs, and the next server follows them to their end.
var ErrEnding = fmt.Errorf("the server is ending: %w", pool.ErrLeave)

// Client is the peer of one connection, as methods see it. Safe for concurrent use.
type Client interface {
	// Notify sends a notification, in order with other notifications of this
	// connection. It blocks while the client does not read, until ctx ends.
	Notify(ctx context.Context, method string, params any) error
	// Call sends a request to the client and decodes its answer into result
	// (nil: ignored).
	Call(ctx context.Context, method string, params, result any) error
}

// Dispatcher answers what a connection asks. One per connection. Its methods
// may run side by side, except where they say otherwise.
type Dispatcher interface {
	// Initialize handles the initialize request and returns its result.
	Initialize(ctx context.Context, client Client, params json.RawMessage) (any, error)
	// Ordered reports whether a method must run in the order of arrival,
	// before anything that came later starts (document notifications).
	Ordered(method string) bool
	// Handle answers one request or notification. Unknown methods fail with an
	// *Error of code -32601.
	Handle(ctx context.Context, method string, params json.RawMessage) (any, error)
	// Shutdown ends what the connection owns. It is called once, when the
	// connection ends, however it ends, after every Handle has returned or has
	// been given up.
	Shutdown(ctx context.Context) error
}

// Error is an error as it goes over the wire. Its message is for a person.
type Error struct {
	Code    int64
	Message string
	Data    *ErrorData // may be nil
}

// ErrorData tells a program what an Error is about.
type ErrorData struct {
	Kind  string `json:"kind"`
	Field string `json:"field,omitempty"` // the parameter that is wrong
	Hint  string `json:"hint,omitempty"`  // what a person can do about it
}

func (e *Error) Error() string { return e.Message }

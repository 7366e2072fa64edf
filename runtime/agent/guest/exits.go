package guest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime/agent/internal/tunnel"
	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

const (
	// exitPatience is how long a program's connection waits for a client that
	// connects it: one may be on its way.
	exitPatience = 10 * time.Second
	// dialPatience bounds the whole way to a connection.
	dialPatience = 45 * time.Second
)

// exits are the clients that offered to connect to hosts for this machine.
type exits struct {
	mu      sync.Mutex // guards what follows
	clients []*client
	changed chan struct{} // closed when one is added
}

func newExits() *exits { return &exits{changed: make(chan struct{})} }

func (e *exits) add(c *client) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.clients, c) {
		e.clients = append(e.clients, c)
	}
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *exits) remove(c *client) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clients = slices.DeleteFunc(e.clients, func(o *client) bool { return o == c })
}

// newest returns the client that offered last, or nil and what is closed when
// there is one.
func (e *exits) newest() (*client, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.clients); n > 0 {
		return e.clients[n-1], nil
	}
	return nil, e.changed
}

// await returns a client, as soon as there is one, or nil.
func (e *exits) await(ctx context.Context) *client {
	ctx, cancel := context.WithTimeout(ctx, exitPatience)
	defer cancel()
	for {
		c, changed := e.newest()
		if c != nil {
			return c
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// connect opens a tunnel to a target through one of the clients. When that
// client's stream breaks meanwhile, another one is tried.
func (e *exits) connect(ctx context.Context, target wire.Target) (*tunnel.Tunnel, *answerError) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	for {
		c := e.await(ctx)
		if c == nil {
			return nil, &answerError{502, "no process of itechsmart is connected to this VM to reach " + target.Host}
		}
		t, err := c.tunnels.Open()
		if err == nil {
			var answer wire.DialAnswer
			if answer, err = t.Dial(ctx, target); err == nil {
				return answered(t, answer)
			}
			_ = t.Close()
		}
		switch {
		case errors.Is(err, tunnel.ErrOver):
			e.remove(c)
		case errors.Is(err, tunnel.ErrTooMany):
			return nil, &answerError{503, err.Error()}
		default:
			return nil, &answerError{504, target.Host + " did not answer in time"}
		}
	}
}

func answered(t *tunnel.Tunnel, answer wire.DialAnswer) (*tunnel.Tunnel, *answerError) {
	if answer.Failure == "" {
		return t, nil
	}
	_ = t.Close() // the client gave it up with its answer
	if answer.Refused {
		return nil, &answerError{403, answer.Failure}
	}
	return nil, &answerError{502, answer.Failure}
}

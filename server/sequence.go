package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"go.lsp.dev/protocol"

	"github.com/itechsmart/vm/handlers"
)

// state in the life cycle of a connection.
type state int

const (
	uninitialized state = iota
	serving
	stopped // after shutdown
)

// sequence works off the arrivals, in order, until there will be no more.
func (c *connection) sequence() {
	defer close(c.finished)
	for {
		in, ok := c.arrivals.take()
		if !ok {
			return
		}
		c.admit(in.value)
		c.arrivals.release(in.weight)
	}
}

// admit does with a message what the life cycle says.
func (c *connection) admit(in *incoming) {
	isRequest := in.number != 0
	switch {
	case c.base.Err() != nil, c.refusing.Load():
		c.decline(in, isEnding)
	case !isRequest && in.method == protocol.MethodExit:
		c.refusing.Store(true)
		close(c.exited)
	case isRequest && in.method == protocol.MethodInitialize && c.state == uninitialized:
		c.initialize(in)
	case c.state == uninitialized:
		c.decline(in, notInitialized)
	case c.state == stopped:
		c.decline(in, isShutDown)
	case in.method == protocol.MethodInitialize:
		c.decline(in, initializedYet)
	case isRequest && in.method == protocol.MethodShutdown:
		c.state = stopped
		c.shutDown.Store(true)
		if in.claim(waiting) {
			c.reply(in, nil, nil)
		}
	case c.dispatcher.Ordered(in.method):
		c.run(in)
	default:
		c.slots <- struct{}{}
		end := c.tasks.begin()
		go func() {
			defer end()
			defer func() { <-c.slots }()
			c.run(in)
		}()
	}
}

// decline refuses a request, and drops a notification.
func (c *connection) decline(in *incoming, why *handlers.Error) {
	if in.number == 0 {
		in.cancel(nil)
		return
	}
	c.refuse(in, why)
}

// initialize lets the client in.
func (c *connection) initialize(in *incoming) {
	c.runWith(in, func(ctx context.Context) (any, error) {
		result, err := c.dispatcher.Initialize(ctx, c.client, in.params)
		if err == nil {
			c.state = serving
		}
		return result, err
	})
	if c.state == serving {
		close(c.greeted)
	}
}

// run handles a message and answers it, if it is a request.
func (c *connection) run(in *incoming) {
	c.runWith(in, func(ctx context.Context) (any, error) {
		return c.dispatcher.Handle(ctx, in.method, in.params)
	})
}

func (c *connection) runWith(in *incoming, handle func(context.Context) (any, error)) {
	defer in.cancel(nil)
	if !in.stage.CompareAndSwap(waiting, running) {
		return // cancelled while it waited
	}
	result, err := c.protect(in, handle)
	if in.number == 0 {
		c.note(in, err)
		return
	}
	if in.claim(running) {
		c.answer(in, result, err)
	}
}

// protect turns a panic into an error. The stack is for the log alone.
func (c *connection) protect(in *incoming, handle func(context.Context) (any, error)) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("panic", "method", in.method, "value", fmt.Sprint(p), stackKey, string(debug.Stack()))
			result, err = nil, hasFailed
		}
	}()
	return handle(in.ctx)
}

// answer replies with what a handler returned.
func (c *connection) answer(in *incoming, result any, err error) {
	if err == nil {
		c.reply(in, result, nil)
		return
	}
	fault := failure(in.ctx, err)
	if fault.Code == handlers.CodeInternal && fault != hasFailed {
		c.log.Error("request failed", "method", in.method, "error", err)
	}
	c.reply(in, nil, fault)
}

// note logs a notification that failed, for there is nobody to tell. Unknown
// ones are no failure.
func (c *connection) note(in *incoming, err error) {
	var known *handlers.Error
	if err == nil || errors.As(err, &known) && known.Code == handlers.CodeMethodNotFound {
		return
	}
	c.log.Warn("notification failed", "method", in.method, "error", err)
}

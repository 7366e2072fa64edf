package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// How long, at the end, handlers may take to heed the end of their contexts,
// Dispatcher.Shutdown may take, and the client to read what it is still owed.
const (
	abandonAfter  = 5 * time.Second
	shutdownLimit = 10 * time.Second
	flushLimit    = time.Second
)

// wait returns why the connection ends.
func (c *connection) wait(ctx context.Context) Cause {
	select {
	case <-c.exited:
		return Exit
	case <-c.stream.ended.Done():
		return EndOfInput
	case <-ctx.Done():
		return Stopped
	case <-c.out.failed.Done():
		return Gone
	}
}

func (c *connection) hasExited() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// drain brings the connection to its end.
func (c *connection) drain(ctx context.Context, cause Cause) error {
	if cause != EndOfInput {
		c.refusing.Store(true)
	}
	c.arrivals.close()
	c.settle(cause)
	err := c.shutdownDispatcher(ctx)
	c.stopLog()
	c.out.finish(flushLimit)
	if cause == Gone {
		err = errors.Join(err, fmt.Errorf("writing to the client: %w", context.Cause(c.out.failed)))
	}
	c.cancel(errEnding)
	// It fails when the client has closed its ends before: as good as closed.
	_ = c.conn.Close()
	return err
}

// settle waits for all that was taken on: a while as it is, then with every
// context cancelled. What has not come back then is answered in its place.
func (c *connection) settle(cause Cause) {
	idle := make(chan struct{})
	go func() {
		<-c.finished
		<-c.tasks.idle()
		close(idle)
	}()
	if c.within(idle, cause) {
		return
	}
	c.cancel(errEnding)
	select {
	case <-idle:
	case <-time.After(abandonAfter):
		c.abandon()
	}
}

// within waits for idle as long as the cause allows, and reports whether it was
// in time.
func (c *connection) within(idle <-chan struct{}, cause Cause) bool {
	exited, grace := c.exited, c.opts.ExitGrace
	if cause == EndOfInput {
		grace = c.opts.Grace
	} else {
		exited = nil
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for {
		select {
		case <-idle:
			return true
		case <-timer.C:
			return false
		case <-exited: // was still in the queue at the end of input
			exited = nil
			timer.Reset(min(grace, c.opts.ExitGrace))
		}
	}
}

// abandon answers in place of the handlers that do not return.
func (c *connection) abandon() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, in := range c.stream.open.all() {
			if in.claim(waiting, running) {
				c.log.Error("handler does not return", "method", in.method)
				c.reply(in, nil, wasEnded)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(flushLimit):
	}
}

// shutdownDispatcher calls Shutdown, and waits for it in reason.
func (c *connection) shutdownDispatcher(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				c.log.Error("panic", "method", "Shutdown", "value", fmt.Sprint(p), stackKey, string(debug.Stack()))
				result <- hasFailed
			}
		}()
		result <- c.dispatcher.Shutdown(ctx)
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("shutting down took more than %v", shutdownLimit)
	}
}

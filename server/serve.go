// Package server carries JSON-RPC between a client and the methods: framing,
// life cycle, order, cancellation and back-pressure. It knows no method but
// those of the life cycle; a handlers.Dispatcher answers the rest.
//
// A message goes from frameReader (bytes to bodies) through parse (bodies to
// messages) and stream to jsonrpc2.Conn, from there to connection.receive, into
// the queue of arrivals, and is started by connection.sequence. What is sent goes
// through jsonrpc2.Conn and stream into the outbox, and from there to the client.
package server

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/itechsmart/vm/handlers"
)

// Options of Serve. The zero value is good.
type Options struct {
	// Log gets the records of the server, and sends them and others to the
	// client. Nil: nothing is logged.
	Log *Log
	// Grace is how long requests may go on when the input has ended, before
	// their contexts are cancelled. 0 = DefaultGrace.
	Grace time.Duration
	// ExitGrace is the same after exit, when Serve's context ends, and when
	// the client cannot be written to any more. 0 = DefaultExitGrace.
	ExitGrace time.Duration
}

// Defaults of Options. Editors kill a server that has not ended two seconds
// after exit.
const (
	DefaultGrace     = 10 * time.Second
	DefaultExitGrace = 500 * time.Millisecond
)

// Cause says why a connection ended.
type Cause string

// Causes.
const (
	Exit       Cause = "exit"         // the client said so
	EndOfInput Cause = "end of input" // it closed its end, or sent what is no frame for too long
	Stopped    Cause = "stopped"      // Serve's context ended
	Gone       Cause = "client gone"  // it cannot be written to
)

// Ending is how a connection ended.
type Ending struct {
	Cause Cause
	// ShutDown: the client had asked for it with a shutdown request.
	ShutDown bool
}

// ExitCode is the exit code of a program that served this one connection: 0
// after a shutdown request, else 1.
func (e Ending) ExitCode() int {
	if e.ShutDown {
		return 0
	}
	return 1
}

// Stdio joins a program's standard input and output, for Serve. Closing it
// closes both.
func Stdio(in io.ReadCloser, out io.WriteCloser) io.ReadWriteCloser {
	return stdio{in, out}
}

type stdio struct {
	io.ReadCloser
	out io.WriteCloser
}

func (s stdio) Write(p []byte) (int, error) { return s.out.Write(p) }

func (s stdio) Close() error { return errors.Join(s.ReadCloser.Close(), s.out.Close()) }

// Serve serves the client at the other end of rwc until it exits, its input
// ends, it cannot be written to, or ctx ends. Then it drains: requests that run
// get Grace or ExitGrace to finish, are cancelled, and get some more seconds to
// come back; what has not come back by then is answered as cancelled and given
// up. Requests that wait are still served after the end of input, and refused
// otherwise. Every request that was read has been answered, Shutdown of the
// dispatcher has been called, and rwc is closed when Serve returns. The error is
// that of Shutdown, or of writing.
func Serve(ctx context.Context, rwc io.ReadWriteCloser, newDispatcher func() handlers.Dispatcher, opts Options) (Ending, error) {
	if opts.Grace == 0 {
		opts.Grace = DefaultGrace
	}
	if opts.ExitGrace == 0 {
		opts.ExitGrace = DefaultExitGrace
	}
	c := newConnection(ctx, rwc, newDispatcher(), opts)
	c.start()
	cause := c.wait(ctx)
	err := c.drain(ctx, cause)
	if c.hasExited() {
		cause = Exit
	}
	return Ending{Cause: cause, ShutDown: c.shutDown.Load()}, err
}

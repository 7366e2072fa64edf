// Package client starts a server and speaks to it over its standard input and
// output: for the demo, the benchmarks and the system tests.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync/atomic"

	"github.com/sourcegraph/jsonrpc2"
)

// Client speaks to one server process. Its methods are safe for concurrent use.
type Client struct {
	cmd    *exec.Cmd
	conn   *jsonrpc2.Conn
	lastID atomic.Uint64
	exited chan struct{} // closed when the process has been waited for
	err    error         // of waiting; set when exited is closed
}

// Notified is called for each notification, one at a time and in order; while
// it blocks, nothing is read from the server.
type Notified func(method string, params json.RawMessage)

// Start starts a server. The command's standard input and output must be free;
// notified may be nil. The caller ends it with Close or Kill.
func Start(cmd *exec.Cmd, notified Notified) (*Client, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &Client{cmd: cmd, exited: make(chan struct{})}
	c.conn = jsonrpc2.NewConn(context.Background(),
		jsonrpc2.NewBufferedStream(pipes{out, in}, jsonrpc2.VSCodeObjectCodec{}), handler{notified})
	go func() {
		// Wait closes the pipes, so all that was written must be read before.
		<-c.conn.DisconnectNotify()
		c.err = cmd.Wait()
		close(c.exited)
	}()
	return c, nil
}

// Initialize opens the session with initialization options, which may be nil,
// and returns what the server says of itself.
func (c *Client) Initialize(ctx context.Context, options any) (json.RawMessage, error) {
	var result json.RawMessage
	params := map[string]any{"processId": nil, "rootUri": nil, "capabilities": struct{}{}, "initializationOptions": options}
	if err := c.Call(ctx, "initialize", params, &result); err != nil {
		return nil, err
	}
	return result, c.conn.Notify(ctx, "initialized", struct{}{})
}

// Call sends a request and decodes its answer; the server's error comes as an
// *Error. When ctx ends the request is cancelled, and Call returns the server's
// answer to that.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	id := c.lastID.Add(1)
	detached := context.WithoutCancel(ctx)
	stop := context.AfterFunc(ctx, func() {
		// A server that is gone has ended the call already.
		_ = c.conn.Notify(detached, "$/cancelRequest", map[string]any{"id": id})
	})
	defer stop()
	err := c.conn.Call(detached, method, params, result, jsonrpc2.PickID(jsonrpc2.ID{Num: id}))
	var failure *jsonrpc2.Error
	if errors.As(err, &failure) {
		return newError(failure)
	}
	return err
}

// Close says goodbye and waits for the server to exit, whose error it returns.
func (c *Client) Close() error {
	if err := c.Call(context.Background(), "shutdown", nil, nil); err != nil {
		return errors.Join(err, c.Kill())
	}
	if err := c.conn.Notify(context.Background(), "exit", nil); err != nil {
		return errors.Join(err, c.Kill())
	}
	<-c.exited
	return c.err
}

// Kill ends the server at once, as kill -9 does, and waits for it.
func (c *Client) Kill() error {
	err := c.cmd.Process.Kill()
	<-c.exited
	return err
}

// Process is the server's.
func (c *Client) Process() int { return c.cmd.Process.Pid }

// Error is what the server answered instead of a result.
type Error struct {
	Code    int64
	Message string
	Kind    string
	Field   string
	Hint    string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

func newError(e *jsonrpc2.Error) *Error {
	failure := &Error{Code: e.Code, Message: e.Message}
	if e.Data != nil {
		// Data of another form leaves the fields empty.
		_ = json.Unmarshal(*e.Data, failure)
	}
	return failure
}

// handler receives what the server sends by itself.
type handler struct{ notified Notified }

func (h handler) Handle(ctx context.Context, conn *jsonrpc2.Conn, r *jsonrpc2.Request) {
	if !r.Notif {
		// An editor would ask its user; here nobody is there to choose.
		_ = conn.Reply(ctx, r.ID, nil)
		return
	}
	if h.notified == nil {
		return
	}
	var params json.RawMessage
	if r.Params != nil {
		params = *r.Params
	}
	h.notified(r.Method, params)
}

// pipes joins a server's standard output and input.
type pipes struct {
	io.ReadCloser
	in io.WriteCloser
}

func (p pipes) Write(b []byte) (int, error) { return p.in.Write(b) }

func (p pipes) Close() error { return errors.Join(p.in.Close(), p.ReadCloser.Close()) }

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime/agent/internal/tunnel"
	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// Sentinels that the client's methods wrap.
var (
	// ErrExists: the guest has, or has had, a run of that ID.
	ErrExists = errors.New("run exists")
	// ErrNotFound: the guest knows no run of that ID, or not any more.
	ErrNotFound = errors.New("no such run")
	// ErrInvalid: the guest refuses the request; the message says why.
	ErrInvalid = errors.New("invalid request")
	// ErrClosed: the stream to the guest broke or was closed. Runs go on.
	ErrClosed = errors.New("connection to the VM closed")
)

// InvalidError is an ErrInvalid with the guest's reason, for a person.
type InvalidError struct{ Reason string }

func (e *InvalidError) Error() string { return "agent: " + ErrInvalid.Error() + ": " + e.Reason }

// Unwrap makes errors.Is(err, ErrInvalid) true.
func (e *InvalidError) Unwrap() error { return ErrInvalid }

// greetTimeout bounds the wait for a guest's first frame.
const greetTimeout = 10 * time.Second

// Client speaks to the guest of one VM over one stream. Its methods may be
// called from several goroutines at once. Every method fails with ErrClosed when
// the stream breaks, and with ctx's error when ctx ends first.
type Client struct {
	conn    *wire.Conn
	tunnels *tunnel.Set
	done    chan struct{}

	mu    sync.Mutex // guards what follows
	calls map[uint32]*call
	last  uint32 // channel used last
	err   error  // why the stream ended; set before done closes
	dial  DialFunc
}

// NewClient greets the guest at the other end of stream and takes the stream
// over: Close closes it. When it fails the stream is closed. It waits 10 s at
// most for the guest's greeting.
func NewClient(stream io.ReadWriteCloser) (*Client, error) {
	c := &Client{
		conn:  wire.NewConn(stream, wire.MaxToHost),
		done:  make(chan struct{}),
		calls: make(map[uint32]*call),
	}
	c.tunnels = tunnel.NewSet(c.conn, maxTunnels)
	late := time.AfterFunc(greetTimeout, func() { stream.Close() })
	err := c.greet()
	if !late.Stop() && err == nil {
		err = errors.New("no greeting in time")
	}
	if err != nil {
		stream.Close()
		return nil, fmt.Errorf("agent: %w: %w", ErrClosed, err)
	}
	go c.read()
	return c, nil
}

func (c *Client) greet() error {
	if err := c.conn.Send(wire.Hello, 0, wire.Greeting{Version: Version}); err != nil {
		return err
	}
	f, err := c.conn.Read()
	if err != nil {
		return err
	}
	var theirs wire.Greeting
	if f.Kind != wire.Hello {
		return fmt.Errorf("%w: frame of kind %d before the greeting", wire.ErrProtocol, f.Kind)
	}
	if err := wire.Unmarshal(f.Payload, &theirs); err != nil {
		return err
	}
	if theirs.Version != Version {
		return fmt.Errorf("the VM's agent speaks version %d, this program %d: recreate the VM", theirs.Version, Version)
	}
	return nil
}

// Done is closed when the stream broke or was closed.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close closes the stream. Runs go on in the VM. It may be repeated.
func (c *Client) Close() error {
	c.fail(ErrClosed)
	return nil
}

// fail ends the connection, and with it every call under way.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	if !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	c.err = err
	c.conn.Close()
	c.tunnels.Close()
	close(c.done)
}

// read hands every frame to the call it belongs to. It never waits for a call:
// what a call may hold is bounded by the credit that it gave.
func (c *Client) read() {
	for {
		f, err := c.conn.Read()
		if err == nil {
			err = c.dispatch(f)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *Client) dispatch(f wire.Frame) error {
	switch f.Kind {
	case wire.Dial:
		return c.connect(f)
	case wire.Data, wire.Grant, wire.Shut, wire.HangUp:
		return c.tunnels.Deliver(f)
	}
	c.mu.Lock()
	call := c.calls[f.Channel]
	if f.Kind == wire.Reply || f.Kind == wire.Failure {
		delete(c.calls, f.Channel)
	}
	c.mu.Unlock()
	if call == nil {
		return fmt.Errorf("%w: frame for channel %d, which has no request", wire.ErrProtocol, f.Channel)
	}
	return call.deliver(f)
}

// open registers a call under a fresh channel.
func (c *Client) open() (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	for {
		c.last++
		if _, taken := c.calls[c.last]; !taken {
			break
		}
	}
	call := newCall(c.last)
	c.calls[c.last] = call
	return call, nil
}

// send opens a call and writes its request.
func (c *Client) send(kind wire.Kind, params any) (*call, error) {
	frame, err := wire.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	if len(frame)-wire.HeaderSize > wire.MaxToGuest {
		return nil, fmt.Errorf("agent: %w: more than %d MiB in one request", ErrInvalid, wire.MaxToGuest>>20)
	}
	call, err := c.open()
	if err != nil {
		return nil, err
	}
	if err := c.conn.Write(kind, call.channel, frame); err != nil {
		c.fail(err)
		return nil, c.cause()
	}
	return call, nil
}

func (c *Client) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// request sends a request and waits for its answer, which goes into reply
// unless that is nil.
func (c *Client) request(ctx context.Context, kind wire.Kind, params, reply any) error {
	call, err := c.send(kind, params)
	if err != nil {
		return err
	}
	select {
	case <-call.answered:
		return call.answer(reply)
	case <-c.done:
		return c.cause()
	case <-ctx.Done():
		return ctx.Err() // a late answer is dropped by dispatch
	}
}

// Start starts a run and returns when the guest has taken it. It fails with
// ErrExists, or with ErrInvalid when the files or the working directory cannot
// be made for the run's user. The run belongs to the guest from then on.
func (c *Client) Start(ctx context.Context, run Run) error {
	return c.request(ctx, wire.Start, detached(run), nil)
}

// Input gives a run that was started with OpenStdin more standard input; eof
// ends it. It returns when the guest has taken the data, which a program that
// does not read delays. Input that nobody reads any more is dropped.
func (c *Client) Input(ctx context.Context, id string, data []byte, eof bool) error {
	return c.request(ctx, wire.Input, &wire.Order{ID: id, Data: data, EOF: eof}, nil)
}

// Signal sends a signal, such as "SIGINT", to a run's program and its process
// group. It fails with ErrInvalid for a name that Linux does not have. A run
// that has ended gets none, and no error.
func (c *Client) Signal(ctx context.Context, id, name string) error {
	return c.request(ctx, wire.Signal, &wire.Order{ID: id, Signal: name}, nil)
}

// Kill ends a run and its whole tree and gives it the verdict, unless it has
// ended already: then it ends what Detach left alive. It does not wait for the
// end; Follow does.
func (c *Client) Kill(ctx context.Context, id string, verdict Verdict) error {
	return c.request(ctx, wire.Kill, &wire.Order{ID: id, Verdict: string(verdict)}, nil)
}

// Runs lists what the guest knows, oldest first, without the records.
func (c *Client) Runs(ctx context.Context) ([]Result, error) {
	var runs []Result
	err := c.request(ctx, wire.Runs, nil, &runs)
	return runs, err
}

// Forget drops the record of a run that has ended. It fails with ErrInvalid
// while the run goes on.
func (c *Client) Forget(ctx context.Context, id string) error {
	return c.request(ctx, wire.Forget, &wire.Order{ID: id}, nil)
}

// Stats tells what the VM's workload uses.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	err := c.request(ctx, wire.Stats, nil, &stats)
	return stats, err
}

// Sessions lists the sessions that the guest keeps, by name.
func (c *Client) Sessions(ctx context.Context) ([]SessionState, error) {
	var sessions []SessionState
	err := c.request(ctx, wire.Sessions, nil, &sessions)
	return sessions, err
}

// CloseSession ends a session's interpreter, and the run that is in it. It fails
// with ErrNotFound when there is no such session.
func (c *Client) CloseSession(ctx context.Context, name string) error {
	return c.request(ctx, wire.CloseSession, &wire.Order{ID: name}, nil)
}

// detached returns a copy of run that shares nothing that encoding touches.
func detached(run Run) *Run {
	run.Files = append([]File(nil), run.Files...)
	return &run
}

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/sourcegraph/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/itechsmart/vm/handlers"
)

const (
	// maxRunning is how many requests and notifications are handled at once;
	// further ones wait, in order.
	maxRunning = 1024
	// arrivalsSize bounds what waits, in bytes, at arrivalOverhead each at least:
	// some 16,000 messages. Beyond it requests are refused as busy.
	arrivalsSize    = 64 << 20
	arrivalOverhead = 4 << 10
)

// connection serves one client. Three kinds of goroutines work on it:
//
//   - the reader (jsonrpc2.Conn's) runs stream.ReadObject and Handle. It puts
//     messages into arrivals and carries out cancellations; it never waits for a
//     handler.
//   - the sequencer takes arrivals in order, minds the life cycle, runs ordered
//     methods itself, and starts a goroutine for each of the others.
//   - the outbox's writer.
type connection struct {
	dispatcher handlers.Dispatcher
	stream     *stream
	out        *outbox
	conn       *jsonrpc2.Conn
	client     *client
	opts       Options
	log        *slog.Logger

	base   context.Context // of every handler
	cancel context.CancelCauseFunc

	arrivals *fifo[*incoming]
	slots    chan struct{} // holds a token per handler that runs beside the sequencer
	tasks    tasks

	state    state         // the sequencer's own
	refusing atomic.Bool   // nothing that waits is to be started any more
	shutDown atomic.Bool   // shutdown was answered
	greeted  chan struct{} // closed by the sequencer when initialize was answered
	exited   chan struct{} // closed by the sequencer at exit
	finished chan struct{} // closed when the sequencer has ended
	stopLog  func()        // ends the log messages to the client
}

func newConnection(ctx context.Context, rwc io.ReadWriteCloser, dispatcher handlers.Dispatcher, opts Options) *connection {
	c := &connection{
		dispatcher: dispatcher,
		opts:       opts,
		log:        opts.Log.logger(),
		out:        newOutbox(rwc),
		arrivals:   newFifo[*incoming](arrivalsSize),
		slots:      make(chan struct{}, maxRunning),
		greeted:    make(chan struct{}),
		exited:     make(chan struct{}),
		finished:   make(chan struct{}),
	}
	// Values of ctx reach the handlers; its end does not, until they have had
	// their grace.
	c.base, c.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	c.stream = newStream(c.base, rwc, c.out, c.log)
	c.client = &client{c: c}
	return c
}

func (c *connection) start() {
	go c.out.run()
	go c.sequence()
	// conn is set before the first message can be handled: the handler waits
	// for it. Conn itself must live until the replies are out: no end for its
	// context.
	ready := make(chan struct{})
	handler := handlerFunc(func(req *jsonrpc2.Request) {
		<-ready
		c.receive(req)
	})
	c.conn = jsonrpc2.NewConn(context.WithoutCancel(c.base), c.stream, handler,
		jsonrpc2.OnRecv(c.stream.onReceive), jsonrpc2.OnSend(c.stream.onSend), jsonrpc2.SetLogger(connLogger{c.log}))
	c.stopLog = c.opts.Log.attach(c.client, c.greeted)
	close(ready)
}

// handlerFunc is a jsonrpc2.Handler.
type handlerFunc func(req *jsonrpc2.Request)

func (f handlerFunc) Handle(_ context.Context, _ *jsonrpc2.Conn, req *jsonrpc2.Request) { f(req) }

// receive takes one message from the reader. It waits for nothing but room: in
// the outbox for a refusal, in the queue for a notification, which cannot be
// refused.
func (c *connection) receive(req *jsonrpc2.Request) {
	m := message{method: req.Method}
	if req.Params != nil {
		m.params = *req.Params
	}
	switch {
	case !req.Notif:
		in := c.stream.open.numbered(req.ID.Num)
		switch err := c.enqueue(in, c.arrivals.tryReserve(in.weight)); {
		case errors.Is(err, errFull):
			c.refuse(in, isBusy)
		case err != nil:
			c.refuse(in, isEnding)
		}
	case req.Method == protocol.MethodCancelRequest:
		c.cancelRequest(m.params)
	case req.Method == protocol.MethodWindowWorkDoneProgressCancel && c.cancelWork(m.params):
	case strings.HasPrefix(req.Method, "$/"): // $/setTrace, $/progress, … may be ignored
	default:
		in := newIncoming(c.base, m)
		if c.enqueue(in, c.arrivals.reserve(c.base, in.weight)) != nil {
			in.cancel(nil)
		}
	}
}

// enqueue queues a message for which room was reserved with that outcome.
func (c *connection) enqueue(in *incoming, reserved error) error {
	if reserved != nil {
		return reserved
	}
	return c.arrivals.put(in, in.weight)
}

func (c *connection) cancelRequest(params json.RawMessage) {
	var p struct {
		// Not protocol.CancelParams: its ids have 32 bits.
		ID protocol.LSPAny `json:"id"`
	}
	if err := protocol.Unmarshal(params, &p); err != nil || idOf(p.ID) == nil {
		return
	}
	c.cancelIncoming(c.stream.open.withID(json.RawMessage(p.ID)))
}

// cancelWork cancels the request whose token it is, and reports whether there is
// one: others are the dispatcher's own.
func (c *connection) cancelWork(params json.RawMessage) bool {
	var p struct {
		Token protocol.LSPAny `json:"token"`
	}
	if err := protocol.Unmarshal(params, &p); err != nil || idOf(p.Token) == nil {
		return true // nobody's
	}
	in := c.stream.open.withToken(json.RawMessage(p.Token))
	c.cancelIncoming(in)
	return in != nil
}

// cancelIncoming cancels a request; nil, and one that is answered, are ignored.
// One that runs is answered by its handler, which will soon return; one that
// waits is answered now.
func (c *connection) cancelIncoming(in *incoming) {
	if in == nil {
		return
	}
	in.cancel(errCancelled)
	// Begun before the claim: the sequencer, which passes over what is claimed,
	// must not seem to have been the last at work.
	end := c.tasks.begin()
	if !in.claim(waiting) {
		end()
		return
	}
	go func() { // not here: the reader must not wait for room in the outbox
		defer end()
		c.reply(in, nil, wasCancelled)
	}()
}

// refuse answers a request that will not be handled.
func (c *connection) refuse(in *incoming, why *handlers.Error) {
	if in.claim(waiting) {
		c.reply(in, nil, why)
	}
}

// reply sends the answer of a claimed request.
func (c *connection) reply(in *incoming, result any, fault *handlers.Error) {
	defer in.cancel(nil)
	resp := &jsonrpc2.Response{ID: jsonrpc2.ID{Num: in.number}}
	if fault == nil {
		text, err := encode(result)
		if err != nil {
			c.log.Error("result cannot be encoded", "method", in.method, "error", err)
			fault = hasFailed
		}
		resp.Result = &text
	}
	if fault != nil {
		resp.Result, resp.Error = nil, toWire(fault)
	}
	if err := c.stream.sendReply(c.conn, in.place.batch, resp); err != nil {
		c.log.Debug("reply not sent", "method", in.method, "error", err)
	}
}

// connLogger takes what jsonrpc2 has to say.
type connLogger struct{ log *slog.Logger }

func (l connLogger) Printf(format string, args ...any) {
	l.log.Debug(strings.TrimSpace(fmt.Sprintf(format, args...)))
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/internal/tunnel"
	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

const (
	// maxFollowers bounds what one client follows at once.
	maxFollowers = 1024
	// maxRequests bounds the short requests of one client that are under way;
	// further ones wait in the stream.
	maxRequests = 64
)

// client is one connection to the guest.
type client struct {
	guest *Guest
	conn  *wire.Conn
	slots chan struct{} // one for each short request under way

	tunnels *tunnel.Set // that go out through the client

	mu        sync.Mutex // guards followers
	followers map[uint32]*follower
}

// ServeConn serves one client until its stream ends or breaks, or ctx ends; it
// closes the stream. Runs that the client started go on.
func (g *Guest) ServeConn(ctx context.Context, stream io.ReadWriteCloser) error {
	c := &client{
		guest:     g,
		conn:      wire.NewConn(stream, wire.MaxToGuest),
		slots:     make(chan struct{}, maxRequests),
		followers: make(map[uint32]*follower),
	}
	c.tunnels = tunnel.NewSet(c.conn, wire.MaxTunnels)
	defer context.AfterFunc(ctx, func() { stream.Close() })()
	defer c.hangUp()
	if err := c.greet(); err != nil {
		return err
	}
	for {
		f, err := c.conn.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = c.dispatch(f)
		}
		if err != nil {
			return err
		}
	}
}

func (c *client) greet() error {
	f, err := c.conn.Read()
	if err != nil {
		return err
	}
	if f.Kind != wire.Hello {
		return fmt.Errorf("%w: frame of kind %d before the greeting", wire.ErrProtocol, f.Kind)
	}
	var theirs wire.Greeting
	if err := wire.Unmarshal(f.Payload, &theirs); err != nil {
		return err
	}
	if err := c.conn.Send(wire.Hello, 0, wire.Greeting{Version: agent.Version}); err != nil {
		return err
	}
	if theirs.Version != agent.Version {
		return fmt.Errorf("%w: client speaks version %d", wire.ErrProtocol, theirs.Version)
	}
	return nil
}

// hangUp ends what the client followed and carried, once its stream is over.
func (c *client) hangUp() {
	c.conn.Close()
	c.guest.exits.remove(c)
	c.tunnels.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.followers {
		f.stop()
	}
}

// dispatch handles one frame. It does not wait for a run, so that a slow one
// holds up no other.
func (c *client) dispatch(f wire.Frame) error {
	switch f.Kind {
	case wire.Credit:
		n, err := wire.ParseCredit(f.Payload)
		if err != nil {
			return err
		}
		c.followed(f.Channel, func(fo *follower) { fo.grant(n) })
	case wire.Stop:
		c.followed(f.Channel, (*follower).stop)
	case wire.Cancel:
		c.followed(f.Channel, (*follower).cancel)
	case wire.Run, wire.Follow:
		fo, err := c.enrol(f.Channel)
		if err != nil {
			return err
		}
		c.guest.handlers.Go(func() { c.follow(fo, f) })
	case wire.Offer:
		c.guest.exits.add(c)
	case wire.Dialled, wire.Data, wire.Grant, wire.Shut, wire.HangUp:
		return c.tunnels.Deliver(f)
	case wire.Input:
		c.guest.handlers.Go(func() { c.serve(f) })
	case wire.Start, wire.Signal, wire.Kill, wire.Forget, wire.Resize, wire.Runs, wire.Stats, wire.Sessions, wire.CloseSession:
		c.slots <- struct{}{}
		c.guest.handlers.Go(func() {
			defer func() { <-c.slots }()
			c.serve(f)
		})
	default:
		return fmt.Errorf("%w: frame of kind %d from a client", wire.ErrProtocol, f.Kind)
	}
	return nil
}

// followed applies do to the follower of a channel; one that is answered
// already is no more there, which its client cannot know.
func (c *client) followed(channel uint32, do func(*follower)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.followers[channel]; f != nil {
		do(f)
	}
}

func (c *client) enrol(channel uint32) (*follower, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.followers[channel] != nil || len(c.followers) >= maxFollowers {
		return nil, fmt.Errorf("%w: channel %d is taken, or there are too many", wire.ErrProtocol, channel)
	}
	f := newFollower(c.conn, channel)
	c.followers[channel] = f
	return f, nil
}

func (c *client) strike(f *follower) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.followers, f.channel)
}

// follow answers Run and Follow, when the run has ended.
func (c *client) follow(f *follower, request wire.Frame) {
	r, err := c.subject(request)
	if err != nil {
		c.strike(f)
		c.refuse(f.channel, err)
		return
	}
	f.attach(r)
	whole := r.follow(f)
	c.strike(f)
	if !whole {
		c.refuse(f.channel, errStopped)
		return
	}
	result := r.final()
	c.reply(f.channel, &result)
}

// subject is the run that a request is to follow.
func (c *client) subject(request wire.Frame) (*run, error) {
	if request.Kind == wire.Run {
		return c.start(request.Payload)
	}
	var order wire.Order
	if err := wire.Unmarshal(request.Payload, &order); err != nil {
		return nil, err
	}
	return c.guest.find(order.ID)
}

func (c *client) start(payload []byte) (*run, error) {
	var spec agent.Run
	if err := wire.Unmarshal(payload, &spec); err != nil {
		return nil, err
	}
	return c.guest.start(spec)
}

// serve answers a request that follows nothing.
func (c *client) serve(request wire.Frame) {
	v, err := c.handle(request)
	if err != nil {
		c.refuse(request.Channel, err)
		return
	}
	c.reply(request.Channel, v)
}

func (c *client) handle(request wire.Frame) (any, error) {
	switch request.Kind {
	case wire.Start:
		_, err := c.start(request.Payload)
		return nil, err
	case wire.Runs:
		return c.guest.list(), nil
	case wire.Stats:
		return c.guest.stats(), nil
	case wire.Sessions:
		return c.guest.sessions.list(), nil
	}
	var order wire.Order
	if err := wire.Unmarshal(request.Payload, &order); err != nil {
		return nil, err
	}
	switch request.Kind {
	case wire.Forget:
		return nil, c.guest.forget(order.ID)
	case wire.CloseSession:
		return nil, c.guest.sessions.close(order.ID)
	}
	r, err := c.guest.find(order.ID)
	if err != nil {
		return nil, err
	}
	switch request.Kind {
	case wire.Input:
		return nil, r.stdin.add(order.Data, order.EOF)
	case wire.Signal:
		number, ok := signalNumber(order.Signal)
		if !ok {
			return nil, invalid("there is no signal %q", order.Signal)
		}
		return nil, r.signal(number)
	case wire.Resize:
		return nil, r.resize(agent.Window{Rows: order.Rows, Cols: order.Cols})
	default: // wire.Kill
		r.kill(agent.Verdict(order.Verdict))
		return nil, nil
	}
}

// reply and refuse answer a request. That the stream may be broken is for the
// reader to find.
func (c *client) reply(channel uint32, v any) {
	_ = c.conn.Send(wire.Reply, channel, v)
}

func (c *client) refuse(channel uint32, err error) {
	_ = c.conn.Send(wire.Failure, channel, wire.Refusal{Code: codeOf(err), Message: strings.TrimPrefix(err.Error(), ErrRefused.Error()+": ")})
}

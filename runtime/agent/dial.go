package agent

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/itechsmart/vm/runtime/agent/internal/tunnel"
	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// DialFunc connects to a host, a name or an address, for a program in a VM that
// has no network of its own. What the program asks for is not to be trusted: the
// function decides whether it may. It may be called from several goroutines at
// once; ctx ends when the program has given up. A *DialError says what the
// program is told; of another error it is told the text.
type DialFunc func(ctx context.Context, host string, port int) (net.Conn, error)

// DialError is why a DialFunc did not connect, for a person.
type DialError struct {
	Reason  string
	Refused bool // by policy: trying again does not help
}

func (e *DialError) Error() string { return e.Reason }

const (
	// maxTarget bounds a Dial frame: a host's name has at most 253 characters.
	maxTarget = 4 << 10
	// maxTunnels leaves room for those that the guest is done with and that
	// still have something to deliver here.
	maxTunnels = 2 * wire.MaxTunnels
)

// OfferDial tells a guest with a proxy that its programs can reach hosts through
// this client, until the client is closed. It is called once. Of several clients
// that offer it, the guest takes any.
func (c *Client) OfferDial(dial DialFunc) error {
	c.mu.Lock()
	c.dial = dial
	c.mu.Unlock()
	if err := c.conn.Send(wire.Offer, 0, nil); err != nil {
		c.fail(err)
		return c.cause()
	}
	return nil
}

// connect serves a Dial frame, without holding up the reader.
func (c *Client) connect(f wire.Frame) error {
	c.mu.Lock()
	dial := c.dial
	c.mu.Unlock()
	if dial == nil || len(f.Payload) > maxTarget {
		return fmt.Errorf("%w: a dial of %d bytes that was not offered", wire.ErrProtocol, len(f.Payload))
	}
	var target wire.Target
	if err := wire.Unmarshal(f.Payload, &target); err != nil {
		return err
	}
	t, err := c.tunnels.Accept(f.Channel)
	if errors.Is(err, tunnel.ErrTooMany) {
		// Answering would let the guest hold up the reader, or pile up answers.
		// It gives up by itself.
		return nil
	}
	if err != nil {
		return err
	}
	go carry(t, dial, target)
	return nil
}

// carry connects a tunnel and serves it until it is over.
func carry(t *tunnel.Tunnel, dial DialFunc, target wire.Target) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-t.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	conn, err := dial(ctx, target.Host, target.Port)
	if err != nil {
		answer := wire.DialAnswer{Failure: err.Error()}
		var reason *DialError
		if errors.As(err, &reason) {
			answer = wire.DialAnswer{Failure: reason.Reason, Refused: reason.Refused}
		}
		_ = t.Answer(answer) // that the stream may be broken is for its reader to find
		return
	}
	if err := t.Answer(wire.DialAnswer{}); err != nil {
		_ = conn.Close()
		return
	}
	tunnel.Join(conn, t)
}

package pgconn

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/driver/pgdriver"
)

// Listen subscribes to a channel with a connection of its own. It calls ready
// once every later notification is sure to arrive, then receive for each
// payload, in order; both from its own goroutine. It returns when ctx ends or
// the connection breaks, with the reason; to go on, call it again.
//
// notify must send a payload to the channel on another connection.
func (c *Config) Listen(
	ctx context.Context, channel string, notify func(payload string) error, ready func(), receive func(payload string),
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listener, done := c.newListener(ctx)
	defer done()
	if err := listener.Listen(ctx, channel); err != nil {
		return err
	}
	if err := awaitSubscription(ctx, listener, notify); err != nil {
		return err
	}
	ready()
	for {
		_, payload, err := listener.Receive(ctx)
		if err != nil {
			return err
		}
		receive(payload)
	}
}

// newListener makes a listener that connects once only: pgdriver's own
// reconnection would hide that notifications were lost. The end of ctx closes
// its connection, and with it ends a Receive.
func (c *Config) newListener(ctx context.Context) (listener *pgdriver.Listener, done func()) {
	connected := false
	config := c.driver()
	config.Dialer = func(dialCtx context.Context, _, _ string) (net.Conn, error) {
		if connected {
			return nil, errors.New("the subscription has broken")
		}
		connected = true
		raw, err := c.dial(dialCtx)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = raw.Close() })
		}
		return raw, err
	}
	// The listener wants a bun.DB for its connector; no query ever uses it.
	pool := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithConfig(config)))
	listener = pgdriver.NewListener(bun.NewDB(pool, pgdialect.New()))
	return listener, func() {
		_ = listener.Close()
		_ = pool.Close()
	}
}

// awaitSubscription returns when the server has carried out the LISTEN, which
// pgdriver only sends: a notification that comes back proves it.
func awaitSubscription(ctx context.Context, listener *pgdriver.Listener, notify func(string) error) error {
	const patience = 100 * time.Millisecond
	proof := rand.Text()
	for ctx.Err() == nil {
		if err := notify(proof); err != nil {
			return fmt.Errorf("prove the subscription: %w", err)
		}
		for {
			_, payload, err := listener.ReceiveTimeout(ctx, patience)
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				break // the notification was faster than the LISTEN: again
			}
			if err != nil {
				return err
			}
			if payload == proof {
				return nil
			}
		}
	}
	return ctx.Err()
}

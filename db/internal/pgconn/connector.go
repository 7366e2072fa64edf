package pgconn

import (
	"context"
	"database/sql/driver"
	"net"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

func init() {
	// pgdriver reports broken connections on stderr. We return them as errors.
	pgdriver.Logger = silence{}
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// Connector returns a connector for database/sql. Its connections heed
// cancellation: the call returns at once, and the connection, whose state is
// unknown then, is replaced.
func (c *Config) Connector() driver.Connector { return connector{c} }

type connector struct{ config *Config }

func (c connector) Driver() driver.Driver { return pgdriver.NewDriver() }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	var dialled *link
	stop := func() bool { return true }
	config := c.config.driver()
	config.Dialer = func(ctx context.Context, _, _ string) (net.Conn, error) {
		raw, err := c.config.dial(ctx)
		if err != nil {
			return nil, err
		}
		dialled = &link{Conn: raw}
		stop = dialled.interruptOn(ctx)
		return dialled, nil
	}
	inner, err := pgdriver.NewConnector(pgdriver.WithConfig(config)).Connect(ctx)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		// pgdriver leaves the socket of a failed login open.
		if dialled != nil {
			_ = dialled.Close()
		}
		return nil, err
	}
	return &conn{Conn: inner.(*pgdriver.Conn), link: dialled}, nil
}

// dial connects and negotiates TLS.
func (c *Config) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{
		Timeout: c.connectTimeout,
		// A subscription reads for hours: only this tells it of a dead server.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	raw, err := dialer.DialContext(ctx, c.network, c.address)
	if err != nil || c.tls == nil {
		return raw, err
	}
	secure, err := c.startTLS(ctx, raw)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return secure, nil
}

// conn is a pgdriver connection that heeds cancellation.
type conn struct {
	*pgdriver.Conn
	link *link
}

func (c *conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	defer c.link.interruptOn(ctx)()
	return c.Conn.BeginTx(ctx, options)
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.link.interruptOn(ctx)()
	return c.Conn.ExecContext(ctx, query, args)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	defer c.link.interruptOn(ctx)()
	return c.Conn.QueryContext(ctx, query, args)
}

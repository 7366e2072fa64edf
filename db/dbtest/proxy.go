package dbtest

import (
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/itechsmart/vm/db/internal/pgconn"
)

// Proxy stands between a store and its PostgreSQL server, which can so go away
// and come back.
type Proxy struct {
	t        testing.TB
	upstream *pgconn.Config
	tls      *tls.Config
	url      url.URL
	work     sync.WaitGroup

	mu       sync.Mutex // guards what follows
	listener net.Listener
	open     map[net.Conn]struct{}
}

// NewProxy returns a proxy on loopback, closed after the test. With a TLS
// configuration it speaks TLS with clients that ask for it.
func NewProxy(t testing.TB, database string, config *tls.Config) *Proxy {
	t.Helper()
	upstream, err := pgconn.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Del("host")
	u.RawQuery = query.Encode()
	p := &Proxy{t: t, upstream: upstream, tls: config, url: *u, open: map[net.Conn]struct{}{}}
	p.url.Host = "127.0.0.1:0"
	p.Restore()
	t.Cleanup(p.Cut)
	return p
}

// URL of the database, through the proxy, with more parameters.
func (p *Proxy) URL(parameters url.Values) string {
	u := p.url
	query := u.Query()
	for name := range parameters {
		query.Set(name, parameters.Get(name))
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// Restore accepts connections, on the same port as before.
func (p *Proxy) Restore() {
	listener, err := net.Listen("tcp", p.url.Host)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = listener
	p.url.Host = listener.Addr().String()
	p.mu.Unlock()
	p.work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.serve(conn) })
		}
	})
}

// Cut breaks every connection, and refuses new ones.
func (p *Proxy) Cut() {
	p.mu.Lock()
	_ = p.listener.Close()
	for conn := range p.open {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

func (p *Proxy) serve(client net.Conn) {
	defer p.track(client)()
	secure, first, err := p.negotiate(client)
	if err != nil {
		return
	}
	server, err := net.Dial(p.upstream.Endpoint())
	if err != nil {
		return
	}
	defer p.track(server)()
	if _, err := server.Write(first); err != nil {
		return
	}
	p.work.Go(func() {
		_, _ = io.Copy(secure, server)
		_ = client.Close()
	})
	_, _ = io.Copy(server, secure)
}

// track has conn closed by Cut, or when the returned function is called.
func (p *Proxy) track(conn net.Conn) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[conn] = struct{}{}
	return func() {
		_ = conn.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, conn)
	}
}

// negotiate answers a request for TLS, and returns what else the client sent.
func (p *Proxy) negotiate(client net.Conn) (conn net.Conn, first []byte, err error) {
	first = make([]byte, 8)
	if _, err := io.ReadFull(client, first); err != nil {
		return nil, nil, err
	}
	if asksTLS := first[4] == 0x04 && first[5] == 0xd2; !asksTLS {
		return client, first, nil
	}
	if p.tls == nil {
		_, err = client.Write([]byte("N"))
		return client, nil, err
	}
	_, err = client.Write([]byte("S"))
	return tls.Server(client, p.tls), nil, err
}

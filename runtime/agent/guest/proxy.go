package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime/agent/internal/tunnel"
	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// headTimeout is how long a program has to say what it wants.
const headTimeout = 30 * time.Second

// proxy is an HTTP proxy inside the machine, whose connections leave it through
// a client. It takes CONNECT, and requests for http:// addresses: one for each
// connection, which the program may repeat.
type proxy struct {
	listener net.Listener
	exits    *exits
	slots    chan struct{} // one for each connection; further ones wait in the kernel

	ctx    context.Context // ends with the proxy
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// listenProxy starts a proxy at an address of the machine. Close ends it.
func listenProxy(address string, e *exits) (*proxy, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("the proxy cannot listen: %w", err)
	}
	p := &proxy{listener: listener, exits: e, slots: make(chan struct{}, wire.MaxTunnels)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.work.Go(p.accept)
	return p, nil
}

// close ends the proxy and its connections. A nil proxy has none.
func (p *proxy) close() {
	if p == nil {
		return
	}
	p.cancel()
	_ = p.listener.Close()
	p.work.Wait()
}

// environment names the proxy in the ways that programs look for it. What is in
// the machine itself is reached directly.
func (p *proxy) environment() []string {
	url := "http://" + p.listener.Addr().String()
	const direct = "localhost,127.0.0.1,::1"
	var env []string
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		env = append(env, name+"="+url, strings.ToLower(name)+"="+url)
	}
	return append(env, "NO_PROXY="+direct, "no_proxy="+direct)
}

func (p *proxy) accept() {
	for {
		select {
		case p.slots <- struct{}{}:
		case <-p.ctx.Done():
			return
		}
		conn, err := p.listener.Accept()
		switch {
		case err == nil:
			p.work.Go(func() {
				defer func() { <-p.slots }()
				p.serve(conn)
			})
			continue
		case errors.Is(err, net.ErrClosed):
			return
		}
		<-p.slots
		select { // out of descriptors, say: it passes
		case <-time.After(50 * time.Millisecond):
		case <-p.ctx.Done():
		}
	}
}

// serve carries one connection, which it closes.
func (p *proxy) serve(conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(p.ctx, func() { conn.Close() })()
	_ = conn.SetReadDeadline(time.Now().Add(headTimeout)) // fails when it is closed, as reading will
	in := bufio.NewReader(conn)
	request, err := readProxyRequest(in)
	if err != nil {
		err.write(conn)
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	t, err := p.exits.connect(p.ctx, request.target)
	if err != nil {
		err.write(conn)
		return
	}
	from := io.Reader(in)
	if request.head == "" {
		if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
			_ = t.Close()
			return
		}
	} else {
		from = io.MultiReader(strings.NewReader(request.head), in)
	}
	tunnel.JoinFrom(conn, from, t)
}

// answerError is an answer of the proxy itself.
type answerError struct {
	status int
	reason string // one line for a person
}

const (
	// maxReason keeps the line of a status within what programs take.
	maxReason = 400
	// lastRead and maxUnread bound what is still read of a program that got an
	// answer.
	lastRead  = time.Second
	maxUnread = 4 << 20
)

// write sends the answer. The reason is in the status line, too: of an answer to
// CONNECT programs show no more. A program that is gone needs no answer.
func (e *answerError) write(conn net.Conn) {
	reason := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, e.reason)
	reason = reason[:min(len(reason), maxReason)]
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
		e.status, reason, len(reason)+1, reason)
	// Closing with something unread would take the answer away from a program
	// that is still sending.
	if half, ok := conn.(*net.TCPConn); ok && half.CloseWrite() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(lastRead))
		_, _ = io.CopyN(io.Discard, conn, maxUnread)
	}
}

package systemtest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/server/client"
)

// TestTheDatabaseGoesAwayAndComesBack: requests fail clearly meanwhile, the
// server serves on, and what ran before is still there afterwards.
func TestTheDatabaseGoesAwayAndComesBack(t *testing.T) {
	r := newRig(t, "native", "postgres")
	database, err := url.Parse(r.database(t))
	if err != nil {
		t.Fatal(err)
	}
	link := newLink(t, "tcp", database.Host)
	database.Host = link.address
	r.setenv(t, "ITECHSMART_DATABASE="+database.String())

	c := r.serve(t, nil)
	if err := c.Call(t.Context(), "vm/create", map[string]any{"name": "a", "language": "bash"}, nil); err != nil {
		t.Fatal(err)
	}
	link.cut()
	expectUnavailable(t, c, "vm/list", nil)
	expectUnavailable(t, c, "vm/execute", map[string]any{"id": "a", "code": "echo 1"})
	link.mend(t)
	expectHello(t, c)
	if err := c.Call(t.Context(), "vm/delete", map[string]any{"id": "a"}, nil); err != nil {
		t.Error(err)
	}
}

// TestTheEngineGoesAwayAndComesBack cuts the server off from Docker.
func TestTheEngineGoesAwayAndComesBack(t *testing.T) {
	r := newRig(t, "docker", "sqlite")
	link := newLink(t, "unix", strings.TrimPrefix(os.Getenv("ITECHSMART_TEST_DOCKER_HOST"), "unix://"))
	r.setenv(t, "DOCKER_HOST=tcp://"+link.address)

	c := r.serve(t, nil)
	if err := c.Call(t.Context(), "vm/create", map[string]any{"name": "a", "language": "bash"}, nil); err != nil {
		t.Fatal(err)
	}
	expectHello(t, c)
	link.cut()
	expectUnavailable(t, c, "vm/execute", map[string]any{"id": "a", "code": "echo 1"})
	expectUnavailable(t, c, "vm/create", map[string]any{"name": "b", "language": "bash"})
	link.mend(t)
	expectHello(t, c)
	if err := c.Call(t.Context(), "vm/delete", map[string]any{"id": "a"}, nil); err != nil {
		t.Error(err)
	}
}

// expectUnavailable expects runtimeUnavailable, with something to do about it.
func expectUnavailable(t *testing.T, c *client.Client, method string, params any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err := c.Call(ctx, method, params, nil)
	var failure *client.Error
	if !errors.As(err, &failure) || failure.Kind != "runtimeUnavailable" || failure.Hint == "" {
		t.Errorf("%s = %#v, want runtimeUnavailable with a hint", method, err)
	}
}

// expectHello runs code in VM a, with some patience for what comes back.
func expectHello(t *testing.T, c *client.Client) {
	t.Helper()
	var e handlers.Execution
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if err = c.Call(t.Context(), "vm/execute", map[string]any{"id": "a", "code": "echo hello"}, &e); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil || e.Output != "hello\n" {
		t.Errorf("after coming back vm/execute = %q, %v", e.Output, err)
	}
}

// link forwards a loopback port to a service, and can be cut and mended.
type link struct {
	network, target string
	address         string // stays the same over cuts

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

func newLink(t *testing.T, network, target string) *link {
	t.Helper()
	l := &link{network: network, target: target, address: "127.0.0.1:0", open: map[net.Conn]bool{}}
	l.mend(t)
	t.Cleanup(l.cut)
	return l
}

// mend accepts connections, at the address of before.
func (l *link) mend(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener, l.address = listener, listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // cut
			}
			go l.forward(conn)
		}
	}()
}

// cut ends every connection and refuses new ones.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.listener.Close()
	for conn := range l.open {
		_ = conn.Close()
	}
	clear(l.open)
}

func (l *link) forward(from net.Conn) {
	to, err := net.Dial(l.network, l.target)
	if err != nil {
		_ = from.Close()
		return
	}
	l.mu.Lock()
	l.open[from], l.open[to] = true, true
	l.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, way := range []struct{ dst, src net.Conn }{{to, from}, {from, to}} {
		go func() {
			_, _ = io.Copy(way.dst, way.src) // ends when either side does
			if half, ok := way.dst.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			done <- struct{}{}
		}()
	}
	<-done
	<-done
	_ = from.Close()
	_ = to.Close()
}

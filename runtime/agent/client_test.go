package agent

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script plays a guest: it greets, and then does what the test has it do.
func script(t *testing.T, play func(*wire.Conn)) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn := wire.NewConn(far, wire.MaxToGuest)
		defer conn.Close()
		if _, err := conn.Read(); err != nil {
			t.Error(err)
		}
		play(conn)
	}()
	t.Cleanup(func() {
		near.Close()
		<-done
	})
	return near
}

func greet(conn *wire.Conn) { _ = conn.Send(wire.Hello, 0, wire.Greeting{Version: Version}) }

func TestGreeting(t *testing.T) {
	tests := []struct {
		name string
		play func(*wire.Conn)
		want string
	}{
		{"another version", func(c *wire.Conn) { _ = c.Send(wire.Hello, 0, wire.Greeting{Version: 99}) }, "recreate the VM"},
		{"something else", func(c *wire.Conn) { _ = c.Send(wire.Reply, 1, nil) }, "before the greeting"},
		{"nothing", func(*wire.Conn) {}, "EOF"},
		{"no JSON", func(c *wire.Conn) { _ = c.Write(wire.Hello, 0, make([]byte, wire.HeaderSize+9)) }, "JSON"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewClient(script(t, test.play))
			if !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// A guest gone bad costs its own connection, and no more.
func TestBadGuest(t *testing.T) {
	output := func(size int) []byte { return make([]byte, wire.HeaderSize+size) }
	tests := []struct {
		name string
		play func(c *wire.Conn, channel uint32)
	}{
		{"hangs up", func(*wire.Conn, uint32) {}},
		{"answers nobody", func(c *wire.Conn, ch uint32) { _ = c.Send(wire.Reply, ch+1, nil) }},
		{"sends a request", func(c *wire.Conn, ch uint32) { _ = c.Send(wire.Kill, ch, nil) }},
		{"sends too large a frame", func(c *wire.Conn, ch uint32) { _ = c.Write(wire.Stdout, ch, output(wire.MaxData+1)) }},
		{"sends beyond its credit", func(c *wire.Conn, ch uint32) {
			for range wire.Window/wire.MaxData + 1 {
				if c.Write(wire.Stdout, ch, output(wire.MaxData)) != nil {
					return
				}
			}
		}},
		{"floods with nothing", func(c *wire.Conn, ch uint32) {
			for range wire.Window {
				if c.Write(wire.Stderr, ch, output(0)) != nil {
					return
				}
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			blocked := make(chan struct{})
			c, err := NewClient(script(t, func(conn *wire.Conn) {
				greet(conn)
				f, err := conn.Read()
				if err != nil {
					t.Error(err)
				}
				test.play(conn, f.Channel)
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			go func() {
				<-c.Done()
				close(blocked)
			}()
			_, err = c.Follow(t.Context(), "x", func(Stream, []byte) { <-blocked })
			if !errors.Is(err, ErrClosed) {
				t.Errorf("got %v", err)
			}
			if _, err := c.Runs(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestBadReplies(t *testing.T) {
	tests := []struct {
		name   string
		answer func(c *wire.Conn, channel uint32)
	}{
		{"no message", func(c *wire.Conn, ch uint32) { _ = c.Send(wire.Reply, ch, nil) }},
		{"another type", func(c *wire.Conn, ch uint32) { _ = c.Send(wire.Reply, ch, "text") }},
		{"a bomb", func(c *wire.Conn, ch uint32) { _ = c.Send(wire.Reply, ch, make([]struct{}, 1<<20)) }},
		{"no refusal", func(c *wire.Conn, ch uint32) { _ = c.Send(wire.Failure, ch, 1) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := NewClient(script(t, func(conn *wire.Conn) {
				greet(conn)
				f, err := conn.Read()
				if err != nil {
					t.Error(err)
				}
				test.answer(conn, f.Channel)
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Runs(t.Context()); !errors.Is(err, wire.ErrProtocol) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A request that ctx ended does not disturb the next.
func TestLateReply(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, err := NewClient(script(t, func(conn *wire.Conn) {
		greet(conn)
		late, err := conn.Read()
		if err != nil {
			t.Error(err)
		}
		cancel()
		next, err := conn.Read()
		if err != nil {
			t.Error(err)
		}
		_ = conn.Send(wire.Reply, late.Channel, Stats{Pids: 1})
		_ = conn.Send(wire.Reply, next.Channel, Stats{Pids: 2})
		_, _ = conn.Read()
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Stats(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s, err := c.Stats(t.Context()); err != nil || s.Pids != 2 {
		t.Errorf("got %+v, %v", s, err)
	}
}

// A guest may ask for connections only of a client that offered them.
func TestDialWithoutOffer(t *testing.T) {
	c, err := NewClient(script(t, func(conn *wire.Conn) {
		greet(conn)
		_ = conn.Send(wire.Dial, 1, wire.Target{Host: "example.com", Port: 443})
		_, _ = conn.Read()
	}))
	if err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if _, err := c.Runs(t.Context()); !errors.Is(err, wire.ErrProtocol) {
		t.Errorf("got %v", err)
	}
}

// What a guest opens beyond what it may have open is left unanswered, and the
// connection lives on.
func TestTooManyDials(t *testing.T) {
	asked := make(chan struct{}, 2*maxTunnels)
	release := make(chan struct{})
	c, err := NewClient(script(t, func(conn *wire.Conn) {
		greet(conn)
		if f, err := conn.Read(); err != nil || f.Kind != wire.Offer {
			t.Errorf("%+v, %v", f, err)
		}
		for n := range uint32(maxTunnels + 5) {
			_ = conn.Send(wire.Dial, n, wire.Target{Host: "example.com", Port: 443})
		}
		// Behind them all: once the client has the reply, it has seen every one.
		f, err := conn.Read()
		if err != nil || f.Kind != wire.Stats {
			t.Errorf("%+v, %v", f, err)
		}
		_ = conn.Send(wire.Reply, f.Channel, Stats{Pids: 1})
		for range maxTunnels {
			if f, err := conn.Read(); err != nil || f.Kind != wire.Dialled {
				t.Errorf("%+v, %v", f, err)
			}
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.OfferDial(func(context.Context, string, int) (net.Conn, error) {
		asked <- struct{}{}
		<-release
		return nil, errors.New("nothing is there")
	})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.Stats(t.Context()); err != nil || s.Pids != 1 {
		t.Errorf("the connection does not live on: %+v, %v", s, err)
	}
	close(release)
	<-c.Done()
	if len(asked) != maxTunnels {
		t.Errorf("%d were asked for, want %d", len(asked), maxTunnels)
	}
}

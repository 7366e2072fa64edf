package guest_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/itechsmart/vm/runtime/agent/guest"
	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// dialRaw is a client that says what the test wants.
func dialRaw(t *testing.T, g *guest.Guest) (conn *wire.Conn, stream net.Conn, served <-chan error) {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- g.ServeConn(t.Context(), far) }()
	t.Cleanup(func() { near.Close() })
	return wire.NewConn(near, wire.MaxToHost), near, done
}

// A client that breaks the protocol loses its connection; the guest goes on.
func TestBadClient(t *testing.T) {
	g := newGuest(t, guest.Config{})
	junk := make([]byte, 1<<16)
	random := rand.NewChaCha8([32]byte{1})
	tests := []struct {
		name    string
		greeted bool
		say     func(c *wire.Conn, stream io.Writer) error
	}{
		{"no greeting", false, func(c *wire.Conn, _ io.Writer) error { return c.Send(wire.Runs, 1, nil) }},
		{"another version", false, func(c *wire.Conn, _ io.Writer) error {
			return c.Send(wire.Hello, 0, wire.Greeting{Version: 99})
		}},
		{"junk at once", false, func(_ *wire.Conn, w io.Writer) error {
			random.Read(junk)
			_, _ = w.Write(junk)
			return nil
		}},
		{"junk later", true, func(_ *wire.Conn, w io.Writer) error {
			random.Read(junk)
			_, _ = w.Write(junk)
			return nil
		}},
		{"unknown kind", true, func(c *wire.Conn, _ io.Writer) error { return c.Send(200, 1, nil) }},
		{"a reply", true, func(c *wire.Conn, _ io.Writer) error { return c.Send(wire.Reply, 1, nil) }},
		{"too much credit", true, func(c *wire.Conn, _ io.Writer) error { return c.SendCredit(1, wire.Window+1) }},
		{"short credit", true, func(c *wire.Conn, _ io.Writer) error { return c.Send(wire.Credit, 1, nil) }},
		{"a huge frame", true, func(_ *wire.Conn, w io.Writer) error {
			_, err := w.Write([]byte{255, 255, 255, 255, byte(wire.Start), 0, 0, 0, 1})
			return err
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn, stream, served := dialRaw(t, g)
			if test.greeted {
				greet(t, conn)
			}
			go io.Copy(io.Discard, onlyReader{stream})
			if err := test.say(conn, stream); err != nil {
				t.Fatal(err)
			}
			if err := <-served; !errors.Is(err, wire.ErrProtocol) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("taken channel", func(t *testing.T) {
		c := connect(t, g)
		if err := c.Start(t.Context(), sh("long", "sleep 1000")); err != nil {
			t.Fatal(err)
		}
		conn, _, served := dialRaw(t, g)
		greet(t, conn)
		for range 2 {
			if err := conn.Send(wire.Follow, 1, &wire.Order{ID: "long"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-served; !errors.Is(err, wire.ErrProtocol) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("bad message", func(t *testing.T) {
		conn, _, _ := dialRaw(t, g)
		greet(t, conn)
		for kind := wire.Start; kind <= wire.Forget; kind++ {
			if err := conn.Write(kind, uint32(kind), make([]byte, wire.HeaderSize+3)); err != nil {
				t.Fatal(err)
			}
			if f, err := conn.Read(); err != nil || f.Kind != wire.Failure || f.Channel != uint32(kind) {
				t.Errorf("kind %d: got %+v, %v", kind, f, err)
			}
		}
	})
	if res, err := connect(t, g).Run(t.Context(), sh("after", "echo well"), nil); err != nil || string(res.Stdout.Head) != "well\n" {
		t.Errorf("the guest is not well: %s, %v", brief(res), err)
	}
}

func greet(t *testing.T, conn *wire.Conn) {
	t.Helper()
	if err := conn.Send(wire.Hello, 0, wire.Greeting{Version: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(); err != nil {
		t.Fatal(err)
	}
}

// onlyReader hides everything but Read, so that nothing else is copied with.
type onlyReader struct{ io.Reader }

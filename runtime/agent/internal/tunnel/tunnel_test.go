package tunnel

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ends returns both ends of a tunnel, over a stream that ends with the test.
func ends(t *testing.T) (near, far *Tunnel) {
	t.Helper()
	a, b := net.Pipe()
	serve := func(stream net.Conn) *Set {
		conn := wire.NewConn(stream, wire.MaxData)
		set := NewSet(conn, wire.MaxTunnels)
		go func() {
			defer set.Close()
			for {
				f, err := conn.Read()
				if err == nil {
					err = set.Deliver(f)
				}
				if err != nil {
					conn.Close()
					return
				}
			}
		}()
		t.Cleanup(func() { conn.Close() })
		return set
	}
	nearSet, farSet := serve(a), serve(b)
	near, err := nearSet.Open()
	if err != nil {
		t.Fatal(err)
	}
	if far, err = farSet.Accept(near.number); err != nil {
		t.Fatal(err)
	}
	return near, far
}

func TestBothWays(t *testing.T) {
	near, far := ends(t)
	data := make([]byte, 5<<20+17)
	rand.Read(data)
	echoed := make(chan error, 1)
	go func() {
		_, err := io.Copy(far, struct{ io.Reader }{far})
		echoed <- errors.Join(err, far.CloseWrite())
	}()
	go func() {
		if _, err := near.Write(data); err != nil {
			t.Error(err)
		}
		if err := near.CloseWrite(); err != nil {
			t.Error(err)
		}
	}()
	got, err := io.ReadAll(near)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes of %d came back, %v", len(got), len(data), err)
	}
	if err := <-echoed; err != nil {
		t.Error(err)
	}
	<-near.Done()
	<-far.Done()
	if near.Close() != nil || far.Close() != nil {
		t.Error("a tunnel that is over cannot be closed again")
	}
}

// What nobody reads is not held in memory beyond the window, however small the
// pieces are.
func TestBackPressure(t *testing.T) {
	for _, piece := range []int{1, 100, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			near, far := ends(t)
			blocked := make(chan error, 1)
			go func() {
				for {
					if _, err := near.Write(make([]byte, piece)); err != nil {
						blocked <- err
						return
					}
				}
			}()
			synctest.Wait()
			held := 0
			far.mu.Lock()
			for _, p := range far.arrived {
				held += wire.Cost(len(p))
			}
			far.mu.Unlock()
			if held == 0 || held > wire.TunnelWindow {
				t.Errorf("%d bytes are held", held)
			}
			if err := far.Close(); err != nil {
				t.Error(err)
			}
			if err := <-blocked; !errors.Is(err, ErrOver) {
				t.Errorf("writing went on: %v", err)
			}
		})
	}
}

func TestStreamEnds(t *testing.T) {
	near, far := ends(t)
	if err := near.set.conn.Close(); err != nil {
		t.Fatal(err)
	}
	for _, end := range []*Tunnel{near, far} {
		if _, err := end.Read(make([]byte, 1)); !errors.Is(err, ErrOver) {
			t.Errorf("reading: %v", err)
		}
		if _, err := end.Write([]byte("x")); !errors.Is(err, ErrOver) {
			t.Errorf("writing: %v", err)
		}
	}
	if _, err := near.set.Open(); !errors.Is(err, ErrOver) {
		t.Errorf("opening: %v", err)
	}
}

func TestTooMany(t *testing.T) {
	set := NewSet(nil, 2)
	for range 2 {
		if _, err := set.Open(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := set.Open(); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	if _, err := set.Accept(99); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	if _, err := set.Accept(1); !errors.Is(err, wire.ErrProtocol) {
		t.Error(err)
	}
}

// A peer that breaks the rules loses the stream; what comes late for a tunnel
// that is over is none of its faults.
func TestViolations(t *testing.T) {
	data := func(n int) wire.Frame { return wire.Frame{Kind: wire.Data, Payload: make([]byte, n)} }
	tests := []struct {
		name   string
		frames []wire.Frame
		want   error
	}{
		{"within its credit", []wire.Frame{data(wire.TunnelWindow / 2)}, nil},
		{"beyond its credit", []wire.Frame{data(wire.TunnelWindow / 2), data(wire.TunnelWindow / 2)}, wire.ErrProtocol},
		{"data after its end", []wire.Frame{{Kind: wire.Shut}, data(1)}, wire.ErrProtocol},
		{"credit without data", []wire.Frame{{Kind: wire.Grant, Payload: []byte{0, 0, 0, 1}}}, wire.ErrProtocol},
		{"half a credit", []wire.Frame{{Kind: wire.Grant, Payload: []byte{0}}}, wire.ErrProtocol},
		{"no answer", []wire.Frame{{Kind: wire.Dialled}}, wire.ErrProtocol},
		{"no frame of a tunnel", []wire.Frame{{Kind: wire.Stdout}}, wire.ErrProtocol},
		{"after its end", []wire.Frame{{Kind: wire.HangUp}, data(wire.TunnelWindow), {Kind: wire.Shut}, {Kind: wire.HangUp}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set := NewSet(nil, 1)
			tunnel, err := set.Open()
			for _, f := range test.frames {
				if err == nil {
					f.Channel = tunnel.number
					err = set.Deliver(f)
				}
			}
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

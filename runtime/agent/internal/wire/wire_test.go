package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stream is a peer that has said all it says.
type stream struct {
	io.Reader
	io.Writer
}

func (stream) Close() error { return nil }

func header(kind Kind, channel, size uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, size)
	b = append(b, byte(kind))
	return binary.BigEndian.AppendUint32(b, channel)
}

func TestRoundTrip(t *testing.T) {
	var sent bytes.Buffer
	c := NewConn(stream{&sent, &sent}, MaxToGuest)
	order := &Order{ID: "a", Data: []byte{0, 255, '"'}, EOF: true}
	if err := errors.Join(c.Send(Input, 7, order), c.SendCredit(8, 99), c.Send(Runs, 9, nil)); err != nil {
		t.Fatal(err)
	}
	f, err := c.Read()
	if err != nil || f.Kind != Input || f.Channel != 7 {
		t.Fatalf("got %+v, %v", f, err)
	}
	var got Order
	if err := Unmarshal(f.Payload, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*order, got); diff != "" {
		t.Errorf("-sent +got:\n%s", diff)
	}
	f, err = c.Read()
	if err != nil || f.Kind != Credit || f.Channel != 8 {
		t.Fatalf("got %+v, %v", f, err)
	}
	if n, err := ParseCredit(f.Payload); n != 99 || err != nil {
		t.Errorf("credit %d, %v", n, err)
	}
	if f, err = c.Read(); err != nil || f.Kind != Runs || len(f.Payload) != 0 {
		t.Errorf("got %+v, %v", f, err)
	}
	if _, err = c.Read(); err != io.EOF {
		t.Errorf("after the last frame: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, io.EOF},
		{"half a header", header(Start, 1, 5)[:4], io.ErrUnexpectedEOF},
		{"no payload", header(Start, 1, 5), io.ErrUnexpectedEOF},
		{"half a payload", append(header(Start, 1, 5), 1, 2), io.ErrUnexpectedEOF},
		{"more than the limit", header(Start, 1, 1001), ErrProtocol},
		{"output beyond its own limit", header(Stdout, 1, MaxData+1), ErrProtocol},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewConn(stream{bytes.NewReader(test.in), io.Discard}, 1000).Read()
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// A claim costs no memory before the bytes have come.
func TestClaimAlone(t *testing.T) {
	in := append(header(Start, 1, MaxToGuest), make([]byte, 100)...)
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = NewConn(stream{bytes.NewReader(in), io.Discard}, MaxToGuest).Read()
		}
	}).AllocedBytesPerOp()
	if allocated > 2*trusted {
		t.Errorf("%d bytes allocated for 100", allocated)
	}
}

func TestParseCredit(t *testing.T) {
	for _, p := range [][]byte{nil, {1}, {0, 0, 0, 0, 0}, {255, 255, 255, 255}} {
		if _, err := ParseCredit(p); !errors.Is(err, ErrProtocol) {
			t.Errorf("% x: %v", p, err)
		}
	}
}

// Whatever comes, decoding gives a message or ErrProtocol, and a message that it
// gave is the same after another trip.
func FuzzUnmarshal(f *testing.F) {
	for _, o := range []*Order{{}, {ID: "a", Data: []byte("data")}} {
		frame, err := Marshal(o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame[HeaderSize:])
	}
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{0, 0, 0, 2, '{', '}', 255, 255, 255, 255})
	f.Add([]byte{0, 0, 0, 4, 'n', 'u', 'l', 'l', 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, payload []byte) {
		var o Order
		if err := Unmarshal(payload, &o); err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatalf("%v is no protocol error", err)
			}
			return
		}
		frame, err := Marshal(&o)
		if err != nil {
			t.Fatal(err)
		}
		var again Order
		if err := Unmarshal(frame[HeaderSize:], &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, again); diff != "" {
			t.Errorf("-first +second:\n%s", diff)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(append(header(Start, 1, 3), "abc"...))
	f.Add(header(Stdout, 1, MaxData+1))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := NewConn(stream{bytes.NewReader(in), io.Discard}, 1<<20)
		total := 0
		for {
			frame, err := c.Read()
			if err != nil {
				break
			}
			total += HeaderSize + len(frame.Payload)
		}
		if total > len(in) {
			t.Errorf("%d bytes of frames in %d", total, len(in))
		}
	})
}

package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

var (
	// ErrOver: an end hung up, or the stream that carries the tunnel ended.
	ErrOver = errors.New("the tunnel is over")
	// ErrTooMany: as many tunnels are open as there may be.
	ErrTooMany = errors.New("too many connections at once")
)

// chunk is the largest payload that an end sends at once: a few of them fit into
// the window, so that sending and taking overlap.
const chunk = 16 << 10

// Tunnel is one end of a connection that is carried over the stream. One
// goroutine reads and one writes; Close may be called from any.
type Tunnel struct {
	set    *Set
	number uint32
	answer chan wire.DialAnswer // holds the answer to Dial
	over   chan struct{}        // closed with ended

	mu       sync.Mutex // guards what follows
	changed  *sync.Cond // of mu
	arrived  [][]byte   // data that was not read yet
	allowed  int        // what the peer may still send; negative is a violation
	owed     int        // read, and not yet back to the peer as credit
	credit   int        // what may still be sent
	theyShut bool
	weShut   bool
	ended    bool
}

func newTunnel(set *Set, number uint32) *Tunnel {
	t := &Tunnel{
		set: set, number: number,
		answer: make(chan wire.DialAnswer, 1), over: make(chan struct{}),
		allowed: wire.TunnelWindow, credit: wire.TunnelWindow,
	}
	t.changed = sync.NewCond(&t.mu)
	return t
}

// Done is closed when the tunnel is over.
func (t *Tunnel) Done() <-chan struct{} { return t.over }

// Dial asks the peer to connect its end, and returns its answer. It fails with
// ErrOver or ctx's error.
func (t *Tunnel) Dial(ctx context.Context, target wire.Target) (wire.DialAnswer, error) {
	if err := t.set.conn.Send(wire.Dial, t.number, target); err != nil {
		return wire.DialAnswer{}, fmt.Errorf("%w: %w", ErrOver, err)
	}
	select {
	case answer := <-t.answer:
		return answer, nil
	case <-t.over:
		return wire.DialAnswer{}, ErrOver
	case <-ctx.Done():
		return wire.DialAnswer{}, ctx.Err()
	}
}

// Answer answers the peer's Dial. A tunnel that is not connected is over.
func (t *Tunnel) Answer(answer wire.DialAnswer) error {
	if answer.Failure != "" {
		t.end()
	}
	return t.set.conn.Send(wire.Dialled, t.number, answer)
}

// deliver takes a frame from the reader.
func (t *Tunnel) deliver(f wire.Frame) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.changed.Broadcast()
	switch f.Kind {
	case wire.Dialled:
		return t.answeredLocked(f.Payload)
	case wire.Data:
		if t.allowed -= wire.Cost(len(f.Payload)); t.allowed < 0 || t.theyShut {
			return fmt.Errorf("%w: data beyond its credit, or after its end", wire.ErrProtocol)
		}
		if !t.ended {
			t.arrived = append(t.arrived, f.Payload)
		}
	case wire.Grant:
		n, err := wire.ParseCredit(f.Payload)
		if err != nil {
			return err
		}
		if t.credit += n; t.credit > wire.TunnelWindow {
			return fmt.Errorf("%w: a tunnel with a credit of %d", wire.ErrProtocol, t.credit)
		}
	case wire.Shut:
		t.theyShut = true
		t.closeLocked()
	case wire.HangUp:
		t.endLocked()
	default:
		return fmt.Errorf("%w: frame of kind %d for a tunnel", wire.ErrProtocol, f.Kind)
	}
	return nil
}

func (t *Tunnel) answeredLocked(payload []byte) error {
	var answer wire.DialAnswer
	if err := wire.Unmarshal(payload, &answer); err != nil {
		return err
	}
	select {
	case t.answer <- answer:
		return nil
	default:
		return fmt.Errorf("%w: a second answer for a tunnel", wire.ErrProtocol)
	}
}

// Read implements io.Reader: end-of-file follows the peer's last data.
func (t *Tunnel) Read(p []byte) (int, error) {
	n, credit, err := t.take(p)
	if credit > 0 {
		// That the stream may be broken is for its reader to find.
		_ = t.set.conn.SendGrant(t.number, credit)
	}
	return n, err
}

// take waits for data and returns how much there was, and the credit that the
// peer is to get now: in a few large pieces rather than frame by frame.
func (t *Tunnel) take(p []byte) (n, credit int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.arrived) == 0 && !t.theyShut && !t.ended {
		t.changed.Wait()
	}
	if len(t.arrived) == 0 {
		if t.theyShut {
			return 0, 0, io.EOF
		}
		return 0, 0, ErrOver
	}
	first := t.arrived[0]
	n = copy(p, first)
	if n < len(first) {
		t.arrived[0] = first[n:]
		t.owed += n
	} else {
		t.arrived[0] = nil
		t.arrived = t.arrived[1:]
		t.owed += wire.Cost(n)
	}
	t.closeLocked()
	if t.owed < wire.TunnelWindow/4 || t.ended {
		return n, 0, nil
	}
	credit, t.owed = t.owed, 0
	t.allowed += credit
	return n, credit, nil
}

// Write implements io.Writer. It blocks while the peer takes nothing.
func (t *Tunnel) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, err := t.reserve(len(p) - written)
		if err != nil {
			return written, err
		}
		frame := make([]byte, wire.HeaderSize, wire.HeaderSize+n)
		frame = append(frame, p[written:written+n]...)
		if err := t.set.conn.Write(wire.Data, t.number, frame); err != nil {
			return written, fmt.Errorf("%w: %w", ErrOver, err)
		}
		written += n
	}
	return written, nil
}

// reserve waits for credit to send some of n bytes, and takes it.
func (t *Tunnel) reserve(n int) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		size := min(n, chunk, t.credit-wire.Cost(0))
		switch {
		case t.ended || t.weShut:
			return 0, ErrOver
		case size > 0:
			t.credit -= wire.Cost(size)
			return size, nil
		}
		t.changed.Wait()
	}
}

// CloseWrite tells the peer that no more data comes.
func (t *Tunnel) CloseWrite() error {
	t.mu.Lock()
	again := t.weShut || t.ended
	t.weShut = true
	t.closeLocked()
	t.mu.Unlock()
	if again {
		return nil
	}
	return t.set.conn.Write(wire.Shut, t.number, make([]byte, wire.HeaderSize))
}

// closeLocked ends the tunnel when both ends have sent and read all.
func (t *Tunnel) closeLocked() {
	if t.weShut && t.theyShut && len(t.arrived) == 0 {
		t.endLocked()
	}
}

// Close hangs up, unless the tunnel is over already. It may be repeated.
func (t *Tunnel) Close() error {
	if !t.end() {
		return nil
	}
	return t.set.conn.Write(wire.HangUp, t.number, make([]byte, wire.HeaderSize))
}

// end ends the tunnel and reports whether it had not ended before.
func (t *Tunnel) end() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.endLocked()
}

func (t *Tunnel) endLocked() bool {
	if t.ended {
		return false
	}
	t.ended = true
	close(t.over)
	t.changed.Broadcast()
	t.set.drop(t) // the set never waits for a tunnel while it is locked
	return true
}

// whole reports whether both ends have said all.
func (t *Tunnel) whole() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.weShut && t.theyShut
}

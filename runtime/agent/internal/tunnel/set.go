// Package tunnel carries connections over the frames of package wire. Both ends
// of an agent's stream have a Set of them; what is behind a tunnel, a program's
// connection or a host's, is joined to it by Join.
package tunnel

import (
	"fmt"
	"sync"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// Set holds the tunnels of one stream. Its methods may be called from several
// goroutines at once.
type Set struct {
	conn *wire.Conn
	most int

	mu      sync.Mutex // guards what follows
	tunnels map[uint32]*Tunnel
	last    uint32 // number that Open gave last
	closed  bool
}

// NewSet returns a set that holds so many tunnels at most. Close ends it.
func NewSet(conn *wire.Conn, most int) *Set {
	return &Set{conn: conn, most: most, tunnels: make(map[uint32]*Tunnel)}
}

// Open adds a tunnel under a fresh number. It fails with ErrOver when the stream
// has ended, and with ErrTooMany.
func (s *Set) Open() (*Tunnel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tunnels) >= s.most {
		return nil, ErrTooMany
	}
	for {
		s.last++
		if s.tunnels[s.last] == nil {
			return s.addLocked(s.last)
		}
	}
}

// Accept adds the tunnel that the peer opened under its number. Besides the
// errors of Open it fails with wire.ErrProtocol when there is one of that number.
func (s *Set) Accept(number uint32) (*Tunnel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tunnels[number] != nil {
		return nil, fmt.Errorf("%w: there is a tunnel %d already", wire.ErrProtocol, number)
	}
	if len(s.tunnels) >= s.most {
		return nil, ErrTooMany
	}
	return s.addLocked(number)
}

func (s *Set) addLocked(number uint32) (*Tunnel, error) {
	if s.closed {
		return nil, ErrOver
	}
	t := newTunnel(s, number)
	s.tunnels[number] = t
	return t, nil
}

// Deliver takes a frame of a tunnel from the stream's reader. It does not block.
// It fails with wire.ErrProtocol, which ends the stream.
func (s *Set) Deliver(f wire.Frame) error {
	s.mu.Lock()
	t := s.tunnels[f.Channel]
	s.mu.Unlock()
	if t == nil {
		return nil // given up by this end
	}
	return t.deliver(f)
}

// Close ends every tunnel: their stream has ended.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed = true
	tunnels := s.tunnels
	s.tunnels = nil
	s.mu.Unlock()
	for _, t := range tunnels {
		t.end()
	}
}

// drop forgets a tunnel, so that another can take its place.
func (s *Set) drop(t *Tunnel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tunnels[t.number] == t {
		delete(s.tunnels, t.number)
	}
}

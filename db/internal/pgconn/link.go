package pgconn

import (
	"context"
	"net"
	"sync"
	"time"
)

// link is a network connection that can be interrupted for good: pgdriver sets
// a deadline before each read and write, and an interrupted link ignores those.
type link struct {
	net.Conn

	mu          sync.Mutex // guards interrupted, and the deadlines with it
	interrupted bool
}

// interruptOn interrupts the link when ctx is cancelled before stop is called.
// stop reports whether it came first.
func (l *link) interruptOn(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, l.interrupt)
}

// interrupt makes every read and write fail with a timeout, those under way
// included.
func (l *link) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupted = true
	_ = l.Conn.SetDeadline(time.Unix(1, 0))
}

func (l *link) SetReadDeadline(t time.Time) error {
	return l.setDeadline(l.Conn.SetReadDeadline, t)
}

func (l *link) SetWriteDeadline(t time.Time) error {
	return l.setDeadline(l.Conn.SetWriteDeadline, t)
}

func (l *link) setDeadline(set func(time.Time) error, t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.interrupted {
		return nil
	}
	return set(t)
}

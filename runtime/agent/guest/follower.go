package guest

import (
	"sync"
	"sync/atomic"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// follower is one client's view of one run: how far it has read the records,
// and what it may still be sent. It exists from its request on, before there is
// a run to follow.
type follower struct {
	conn    *wire.Conn
	channel uint32

	credit    atomic.Int64
	stopped   atomic.Bool
	cancelled atomic.Bool
	run       atomic.Pointer[run]

	// Guarded by the mutex of the run.
	pos  [2]int64 // next byte of each stream
	turn int      // number of the mark in the run's interleaving
}

func newFollower(conn *wire.Conn, channel uint32) *follower {
	f := &follower{conn: conn, channel: channel}
	f.credit.Store(wire.Window)
	return f
}

// attach gives the follower its run; a cancel that came before reaches it now.
func (f *follower) attach(r *run) {
	f.run.Store(r)
	if f.cancelled.Load() {
		r.kill(agent.Cancelled)
	}
}

// grant adds credit.
func (f *follower) grant(n int) {
	f.credit.Add(int64(n))
	f.wake()
}

// stop ends the following and leaves the run alone.
func (f *follower) stop() {
	f.stopped.Store(true)
	f.wake()
}

// cancel kills the run, now or as soon as there is one.
func (f *follower) cancel() {
	f.cancelled.Store(true)
	if r := f.run.Load(); r != nil {
		r.kill(agent.Cancelled)
	}
}

func (f *follower) wake() {
	if r := f.run.Load(); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changed.Broadcast()
	}
}

var frames = sync.Pool{New: func() any { return new([wire.HeaderSize + chunk]byte) }}

// follow sends the run's output until all of it was sent and the run has ended.
// It returns false when the follower was stopped, or its connection broke,
// before that.
func (r *run) follow(f *follower) bool {
	buf := frames.Get().(*[wire.HeaderSize + chunk]byte)
	defer frames.Put(buf)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.followers[f] = struct{}{}
	defer func() {
		delete(r.followers, f)
		r.shrinkLocked()
		r.changed.Broadcast()
	}()
	for !f.stopped.Load() {
		stream, n, more := r.nextLocked(f, buf[wire.HeaderSize:])
		switch {
		case n > 0:
			r.changed.Broadcast()
			r.mu.Unlock()
			err := f.conn.Write(kinds[stream], f.channel, buf[:wire.HeaderSize+n])
			r.mu.Lock()
			if err != nil {
				return false
			}
		case !more && r.sealed:
			return true
		default:
			r.changed.Wait()
		}
	}
	return false
}

// nextLocked takes the output that a follower gets next, as far as its credit
// allows, into p. More tells whether there is any at all.
func (r *run) nextLocked(f *follower, p []byte) (stream, n int, more bool) {
	for {
		m, turn, ok := r.order.next(f.turn, f.pos)
		if !ok {
			return 0, 0, false
		}
		f.turn = turn
		pos := &f.pos[m.stream]
		size := min(int64(len(p)), f.credit.Load()-int64(wire.Cost(0)), m.end-*pos)
		if size <= 0 {
			return 0, 0, true
		}
		if n, *pos = r.out[m.stream].read(p[:size], *pos); n > 0 {
			f.credit.Add(-int64(wire.Cost(n)))
			return m.stream, n, true
		}
	}
}

var kinds = [2]wire.Kind{wire.Stdout, wire.Stderr}

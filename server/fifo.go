package server

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/semaphore"
)

// errFull: there is no room at the moment.
var errFull = errors.New("no room")

// fifo is a queue between many producers and one consumer whose content is
// bounded by weight. Room is reserved first, which may wait, and used later,
// which never does: so an item can be put while a lock is held.
type fifo[T any] struct {
	limit  int64
	room   *semaphore.Weighted
	closed context.Context // ends when nothing may be put any more
	close  context.CancelFunc
	ready  chan struct{} // holds a token when items may have come

	mu    sync.Mutex
	items []weighed[T]
}

type weighed[T any] struct {
	value  T
	weight int64
}

func newFifo[T any](limit int64) *fifo[T] {
	q := &fifo[T]{limit: limit, room: semaphore.NewWeighted(limit), ready: make(chan struct{}, 1)}
	q.closed, q.close = context.WithCancel(context.Background())
	return q
}

// reserve waits for room of that weight, until ctx ends or the queue is
// closed. An item heavier than the whole queue waits until it can have the
// queue to itself. With room at hand it succeeds even when ctx has ended.
func (q *fifo[T]) reserve(ctx context.Context, weight int64) error {
	switch err := q.tryReserve(weight); {
	case err == nil, !errors.Is(err, errFull):
		return err
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(q.closed, cancel)()
	if err := q.room.Acquire(waiting, min(weight, q.limit)); err != nil {
		if q.closed.Err() != nil {
			return errGone
		}
		return ctx.Err()
	}
	return nil
}

// tryReserve is reserve without waiting; it fails with errFull.
func (q *fifo[T]) tryReserve(weight int64) error {
	switch {
	case q.closed.Err() != nil:
		return errGone
	case !q.room.TryAcquire(min(weight, q.limit)):
		return errFull
	}
	return nil
}

// release gives room back: a reservation that was not used, or that of an item
// that was taken and is done with.
func (q *fifo[T]) release(weight int64) { q.room.Release(min(weight, q.limit)) }

// put appends an item whose weight was reserved. It fails with errGone once
// the queue is closed.
func (q *fifo[T]) put(value T, weight int64) error {
	q.mu.Lock()
	if q.closed.Err() != nil {
		q.mu.Unlock()
		return errGone
	}
	q.items = append(q.items, weighed[T]{value, weight})
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return nil
}

// take removes the oldest item, waiting for one. It reports false when the
// queue is closed and empty. The consumer releases the item's weight.
func (q *fifo[T]) take() (weighed[T], bool) {
	for {
		if item, ok := q.tryTake(); ok {
			return item, true
		}
		select {
		case <-q.ready:
		case <-q.closed.Done():
			// Whatever was put before the end is still to be had.
			return q.tryTake()
		}
	}
}

// tryTake is take without waiting.
func (q *fifo[T]) tryTake() (weighed[T], bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return weighed[T]{}, false
	}
	item := q.items[0]
	q.items[0] = weighed[T]{}
	q.items = q.items[1:]
	return item, true
}

package db

import (
	"context"
	"sync"
)

// backlog is how many changes wait for a slow receiver until they are replaced
// by one resync.
const backlog = 256

// watcher is one receiver of changes.
type watcher struct {
	out  chan Change
	wake chan struct{} // holds one element when queue has grown

	mu    sync.Mutex // guards queue
	queue []Change
}

func newWatcher() *watcher {
	return &watcher{out: make(chan Change), wake: make(chan struct{}, 1)}
}

// offer queues a change. It never blocks.
func (w *watcher) offer(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(w.queue) > 0 && w.queue[0].Kind == Resync:
		return // whoever reads that will see c as well
	case c.Kind == Resync || len(w.queue) == backlog:
		w.queue = []Change{{Kind: Resync}}
	default:
		w.queue = append(w.queue, c)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// pump sends what is queued until ctx ends, then closes out.
func (w *watcher) pump(ctx context.Context) {
	defer close(w.out)
	for {
		c, ok := w.next()
		if !ok {
			select {
			case <-w.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case w.out <- c:
		case <-ctx.Done():
			return
		}
	}
}

func (w *watcher) next() (Change, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return Change{}, false
	}
	c := w.queue[0]
	w.queue = w.queue[1:]
	return c, true
}

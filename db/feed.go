package db

import (
	"context"
	"sync"
	"time"
)

// Backoff between attempts to follow the database's changes again.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
)

// feed hands the changes that the database tells of to everybody who watches.
// It follows the database only while somebody does.
type feed struct {
	engine engine
	ctx    context.Context // ends with cancel
	cancel context.CancelFunc
	work   sync.WaitGroup // its goroutines

	mu       sync.Mutex // guards what follows
	watchers map[*watcher]struct{}
	current  *following // nil while nobody watches
}

// following is one stretch of following the database.
type following struct {
	stop context.CancelFunc
	// settled is closed when the first attempt to follow has succeeded or failed.
	settled chan struct{}
	settle  func()
}

func newFeed(e engine) *feed {
	ctx, cancel := context.WithCancel(context.Background())
	return &feed{engine: e, ctx: ctx, cancel: cancel, watchers: map[*watcher]struct{}{}}
}

// watch returns when the database is being followed, so that every later change
// is delivered or covered by a resync; or when that failed at first.
func (f *feed) watch(ctx context.Context) <-chan Change {
	w := newWatcher()
	select {
	case <-f.join(ctx, w):
	case <-ctx.Done():
	}
	return w.out
}

// join adds a watcher until ctx ends. The channel it returns is closed when the
// first attempt to follow the database has succeeded or failed.
func (f *feed) join(ctx context.Context, w *watcher) (settled <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		close(w.out)
		return f.ctx.Done()
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(f.ctx, cancel)
	f.watchers[w] = struct{}{}
	f.work.Go(func() {
		defer cancel()
		defer stop()
		w.pump(ctx)
		f.leave(w)
	})
	if f.current == nil {
		f.begin()
	}
	return f.current.settled
}

// begin starts to follow the database. The caller holds f.mu.
func (f *feed) begin() {
	ctx, stop := context.WithCancel(f.ctx)
	now := &following{stop: stop, settled: make(chan struct{})}
	now.settle = sync.OnceFunc(func() { close(now.settled) })
	f.current = now
	f.work.Go(func() { f.follow(ctx, now) })
}

func (f *feed) leave(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, w)
	if len(f.watchers) == 0 {
		f.current.stop()
		f.current = nil
	}
}

// follow keeps following until ctx ends. Whatever happened during an
// interruption is made up for by a resync.
func (f *feed) follow(ctx context.Context, now *following) {
	interrupted := false
	backoff := firstBackoff
	ready := func() {
		if interrupted {
			f.publish(now, Change{Kind: Resync})
		}
		backoff = firstBackoff
		now.settle()
	}
	for ctx.Err() == nil {
		// The error is the reason of the interruption, which every store call
		// meets as well: it is reported there.
		_ = f.engine.follow(ctx, ready, func(c Change) { f.publish(now, c) })
		interrupted = true
		now.settle()
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
			backoff = min(2*backoff, lastBackoff)
		}
	}
}

// publish hands a change to the watchers, unless it comes from a stretch that
// has been stopped.
func (f *feed) publish(from *following, c Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != from {
		return
	}
	for w := range f.watchers {
		w.offer(c)
	}
}

// end stops everything and closes the watchers' channels.
func (f *feed) end() {
	f.mu.Lock()
	f.cancel() // under the lock, so that nobody joins after it
	f.mu.Unlock()
	f.work.Wait()
}

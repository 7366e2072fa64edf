package server

import "sync"

// tasks counts work. Unlike a sync.WaitGroup it may be added to while somebody
// waits for it to be idle.
type tasks struct {
	mu      sync.Mutex
	n       int
	waiters []chan struct{}
}

// begin adds one; end, to be called once, takes it off.
func (t *tasks) begin() (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	return t.end
}

func (t *tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n > 0 {
		return
	}
	for _, waiter := range t.waiters {
		close(waiter)
	}
	t.waiters = nil
}

// idle returns a channel that is closed as soon as nothing is at work.
func (t *tasks) idle() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	waiter := make(chan struct{})
	if t.n == 0 {
		close(waiter)
	} else {
		t.waiters = append(t.waiters, waiter)
	}
	return waiter
}

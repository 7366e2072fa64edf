package guest

import "sync"

// group counts goroutines, as sync.WaitGroup does, but lets more begin while
// somebody waits.
type group struct {
	mu    sync.Mutex // guards what follows
	n     int
	calls []chan struct{} // of idle
}

// Go runs f in a goroutine of the group.
func (g *group) Go(f func()) {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
	go func() {
		defer g.done()
		f()
	}()
}

func (g *group) done() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 {
		for _, c := range g.calls {
			close(c)
		}
		g.calls = nil
	}
}

// idle returns a channel that is closed at a moment without any.
func (g *group) idle() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := make(chan struct{})
	if g.n == 0 {
		close(c)
	} else {
		g.calls = append(g.calls, c)
	}
	return c
}

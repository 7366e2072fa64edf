package handlers

import (
	"context"
	"sync"

	"github.com/itechsmart/vm/runtime/pool"
)

const (
	// maxTyped bounds what waits to be typed into one terminal, in bytes.
	maxTyped = 1 << 20
	// typedCost is what each piece of it counts beyond its bytes.
	typedCost = 64
)

// terminals are those that a connection shows. What is done to one is done in
// order, and holds up nothing else.
type terminals struct {
	ctx  context.Context // ends with the connection
	wait *sync.WaitGroup // of what goes on beyond requests

	mu   sync.Mutex // guards byID, and the queues of its terminals
	byID map[string]*terminalView
}

// terminalView is one terminal that is shown.
type terminalView struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it is not shown any more
	ready  chan struct{} // holds a token when the queue is not empty
	queue  []act
	weight int // of the queue
}

// act is something done to a terminal.
type act struct {
	weight int
	do     func(context.Context) error
}

func newTerminals(ctx context.Context, wait *sync.WaitGroup) *terminals {
	return &terminals{ctx: ctx, wait: wait, byID: map[string]*terminalView{}}
}

// open shows a terminal until it is closed or the connection ends. One that is
// shown already is shown anew.
func (t *terminals) open(id string, show func(context.Context)) {
	ctx, cancel := context.WithCancel(t.ctx)
	mine := &terminalView{cancel: cancel, done: make(chan struct{}), ready: make(chan struct{}, 1)}
	t.mu.Lock()
	before := t.byID[id]
	t.byID[id] = mine
	t.mu.Unlock()
	t.wait.Go(func() {
		if before != nil {
			before.cancel()
			<-before.done
		}
		t.wait.Go(func() { t.work(ctx, mine) })
		show(ctx)
		t.close(id, mine)
	})
}

func (t *terminals) close(id string, mine *terminalView) {
	mine.cancel()
	close(mine.done)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[id] == mine {
		delete(t.byID, id)
	}
}

// add has something done to a terminal, after what was added before.
func (t *terminals) add(id string, weight int, do func(context.Context) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byID[id]
	if s == nil {
		return &pool.Error{Kind: pool.ErrNotFound, Field: "terminalId", Message: "this connection shows no terminal " + short(id),
			Hint: "vm/openTerminal with its terminalId follows one that is open"}
	}
	weight += typedCost
	if s.weight+weight > maxTyped {
		return &pool.Error{Kind: pool.ErrBusy, Field: "data", Message: "the terminal's program does not read what is typed",
			Hint: "try again, or end it with vm/closeTerminal"}
	}
	s.queue, s.weight = append(s.queue, act{weight, do}), s.weight+weight
	select {
	case s.ready <- struct{}{}:
	default:
	}
	return nil
}

// work does what is added to a terminal, until ctx ends. That the terminal has
// been closed meanwhile is told where it is shown.
func (t *terminals) work(ctx context.Context, s *terminalView) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ready:
		}
		for _, a := range t.take(s) {
			_ = a.do(ctx)
			t.mu.Lock()
			s.weight -= a.weight
			t.mu.Unlock()
		}
	}
}

func (t *terminals) take(s *terminalView) []act {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := s.queue
	s.queue = nil
	return queue
}

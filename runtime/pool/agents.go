package pool

import (
	"context"
	"sync"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
)

// openTimeout bounds connecting to an agent.
const openTimeout = 30 * time.Second

// agents keeps one connection per VM to the agent inside it. A connection that
// broke is replaced at the next use.
type agents struct {
	open func(ctx context.Context, vm db.VirtualMachine) (*agent.Client, error)

	mu     sync.Mutex
	byVM   map[int64]*agentEntry
	closed bool
}

// agentEntry is a slot that its first user fills; others wait for ready.
type agentEntry struct {
	ready  chan struct{} // closed when client and err are set
	client *agent.Client
	err    error
}

func newAgents(open func(context.Context, db.VirtualMachine) (*agent.Client, error)) *agents {
	return &agents{open: open, byVM: map[int64]*agentEntry{}}
}

// get returns the connection to a VM's agent, which stays the cache's.
func (a *agents) get(ctx context.Context, vm db.VirtualMachine) (*agent.Client, error) {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil, agent.ErrClosed
	}
	e := a.byVM[vm.ID]
	if e != nil && !e.broken() {
		a.mu.Unlock()
		return e.wait(ctx)
	}
	e = &agentEntry{ready: make(chan struct{})}
	a.byVM[vm.ID] = e
	a.mu.Unlock()

	// Others wait for this connection too: the first one's cancellation must not
	// be theirs.
	opening, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
	defer cancel()
	e.client, e.err = a.open(opening, vm)
	close(e.ready)
	if e.err != nil {
		a.forget(vm.ID, e)
	}
	return e.client, e.err
}

func (e *agentEntry) wait(ctx context.Context) (*agent.Client, error) {
	select {
	case <-e.ready:
		return e.client, e.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// broken reports whether the entry's connection was made and has ended.
func (e *agentEntry) broken() bool {
	select {
	case <-e.ready:
	default:
		return false
	}
	if e.err != nil {
		return true
	}
	select {
	case <-e.client.Done():
		return true
	default:
		return false
	}
}

// forget removes an entry, when it is still the VM's.
func (a *agents) forget(vm int64, e *agentEntry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byVM[vm] == e {
		delete(a.byVM, vm)
	}
}

// drop closes the connection to a VM that is being stopped or deleted.
func (a *agents) drop(vm int64) {
	a.mu.Lock()
	e := a.byVM[vm]
	delete(a.byVM, vm)
	a.mu.Unlock()
	e.close()
}

func (a *agents) close() {
	a.mu.Lock()
	entries := a.byVM
	a.byVM, a.closed = nil, true
	a.mu.Unlock()
	for _, e := range entries {
		e.close()
	}
}

func (e *agentEntry) close() {
	if e == nil {
		return
	}
	<-e.ready
	if e.client != nil {
		_ = e.client.Close() // nobody is left to tell
	}
}

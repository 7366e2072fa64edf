package server

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
)

// Stages of an incoming request. Whoever moves it to answered answers it: that
// is how each gets exactly one answer.
const (
	waiting int32 = iota
	running
	answered
)

// incoming is a request or a notification, from its arrival to its end.
type incoming struct {
	method string
	params json.RawMessage
	weight int64 // in the queue of arrivals
	ctx    context.Context
	cancel context.CancelCauseFunc
	stage  atomic.Int32

	// Of requests alone.
	number uint64          // what jsonrpc2.Conn knows it by; 0 for a notification
	id     json.RawMessage // what the client knows it by
	token  string          // its workDoneToken's JSON text, or ""
	place  place           // of its reply, if it came in a batch
}

func newIncoming(base context.Context, m message) *incoming {
	in := &incoming{method: m.method, params: m.params, weight: arrivalOverhead + int64(len(m.params))}
	in.ctx, in.cancel = context.WithCancelCause(base)
	return in
}

// claim moves the request from one of the stages given to answered, and
// reports whether it did.
func (in *incoming) claim(from ...int32) bool {
	for _, stage := range from {
		if in.stage.CompareAndSwap(stage, answered) {
			return true
		}
	}
	return false
}

// requests is the table of those that have not been answered.
//
// jsonrpc2 knows ids as unsigned numbers or strings alone, so requests are
// numbered for it, and their own ids are put back into the replies.
type requests struct {
	mu     sync.Mutex
	last   uint64
	open   map[uint64]*incoming
	byID   map[string]*incoming // by idKey
	byWork map[string]*incoming // by token
}

func newRequests() *requests {
	return &requests{open: map[uint64]*incoming{}, byID: map[string]*incoming{}, byWork: map[string]*incoming{}}
}

// add numbers a request and opens it, or reports that one of its id is open.
func (r *requests) add(in *incoming) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := idKey(in.id)
	if r.byID[key] != nil {
		return false
	}
	r.last++
	in.number = r.last
	r.open[in.number], r.byID[key] = in, in
	if in.token != "" {
		r.byWork[in.token] = in
	}
	return true
}

// numbered finds an open request by its number.
func (r *requests) numbered(number uint64) *incoming {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[number]
}

// remove closes the request of that number; nil if it is not open.
func (r *requests) remove(number uint64) *incoming {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.open[number]
	if in == nil {
		return nil
	}
	delete(r.open, number)
	delete(r.byID, idKey(in.id))
	if r.byWork[in.token] == in {
		delete(r.byWork, in.token)
	}
	return in
}

// withID finds an open request by the client's id.
func (r *requests) withID(id json.RawMessage) *incoming {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[idKey(id)]
}

// withToken finds an open request by its workDoneToken.
func (r *requests) withToken(token json.RawMessage) *incoming {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byWork[idKey(token)]
}

// all returns the open requests.
func (r *requests) all() []*incoming {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*incoming, 0, len(r.open))
	for _, in := range r.open {
		all = append(all, in)
	}
	return all
}

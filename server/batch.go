package server

import (
	"bytes"
	"sync"
)

// batch collects the replies to the messages that came in one array. They go
// out together, in the order of the messages.
type batch struct {
	mu      sync.Mutex
	missing int
	replies [][]byte
}

// place is where in a batch a reply goes. The zero place is in none.
type place struct {
	batch *batch
	index int
}

// reserve adds a place for one more reply; all are reserved before the first is
// filled.
func (b *batch) reserve() place {
	b.missing++
	b.replies = append(b.replies, nil)
	return place{b, len(b.replies) - 1}
}

func (p place) fill(reply []byte) {
	p.batch.mu.Lock()
	defer p.batch.mu.Unlock()
	p.batch.missing--
	p.batch.replies[p.index] = reply
}

// take returns the array of all replies, once: after the last one has come. It
// returns nil otherwise.
func (b *batch) take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.missing > 0 || b.replies == nil {
		return nil
	}
	array := append([]byte{'['}, bytes.Join(b.replies, []byte{','})...)
	b.replies = nil
	return append(array, ']')
}

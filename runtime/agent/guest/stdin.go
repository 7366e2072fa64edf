package guest

import (
	"io"
	"sync"
)

// maxPending bounds the input that waits for a program to read it.
const maxPending = 16 << 20

// inputCost is what a piece of waiting input counts beyond its bytes.
const inputCost = 64

var (
	errNoInput = invalid("the run was not started with open standard input")
	errUnread  = invalid("the program does not read its standard input")
)

// stdin is a run's standard input.
type stdin struct {
	first []byte // what the run came with
	open  bool   // more may follow
	ready chan struct{}
	ended chan struct{}

	writing sync.Mutex // held while writing to w
	w       io.WriteCloser

	mu      sync.Mutex // guards what follows
	pending int        // bytes that wait to be written
}

func newStdin(first []byte, open bool) stdin {
	return stdin{first: first, open: open, ready: make(chan struct{}), ended: make(chan struct{})}
}

// feed gives the program its first input, and makes way for more.
func (s *stdin) feed(w io.WriteCloser) {
	if len(s.first) > 0 {
		// A program that does not read to the end is its own business.
		_, _ = w.Write(s.first)
		s.first = nil
	}
	if !s.open {
		w.Close()
	}
	s.w = w
	close(s.ready)
}

// add writes more input. It returns when the program's pipe took it, or nobody
// reads it any more.
func (s *stdin) add(data []byte, eof bool) error {
	if !s.open {
		return errNoInput
	}
	size := len(data) + inputCost
	if !s.reserve(size) {
		return errUnread
	}
	defer s.reserve(-size)
	select {
	case <-s.ready:
	case <-s.ended:
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if len(data) > 0 {
		_, _ = s.w.Write(data) // fails when the program has closed it: no error
	}
	if eof {
		s.w.Close()
	}
	return nil
}

// drop lets go of input that still waits.
func (s *stdin) drop() { close(s.ended) }

func (s *stdin) reserve(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && s.pending > 0 && s.pending+n > maxPending {
		return false
	}
	s.pending += n
	return true
}

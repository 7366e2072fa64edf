package guest

import "sync"

// line is a queue of those who want the same thing, one at a time.
type line struct {
	mu      sync.Mutex // guards tickets
	tickets []*ticket  // the first one has its turn
}

// ticket is a place in the line.
type ticket struct {
	line *line
	turn chan struct{} // closed when it is the ticket's turn
}

// join takes the last place. Whoever joins leaves, with or without having had
// the turn.
func (l *line) join() *ticket {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &ticket{l, make(chan struct{})}
	l.tickets = append(l.tickets, t)
	if len(l.tickets) == 1 {
		close(t.turn)
	}
	return t
}

// leave gives the place up, and the turn to the next. It is called once.
func (t *ticket) leave() {
	l := t.line
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.tickets {
		if other != t {
			continue
		}
		l.tickets = append(l.tickets[:i:i], l.tickets[i+1:]...)
		if i == 0 && len(l.tickets) > 0 {
			close(l.tickets[0].turn)
		}
		return
	}
}

// empty reports whether nobody is in the line.
func (l *line) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.tickets) == 0
}

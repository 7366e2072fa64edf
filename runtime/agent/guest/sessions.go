package guest

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// maxSessions is how many sessions a VM keeps; the one that was not used for
// longest gives way to a new one.
const maxSessions = 16

// sessions are those of one guest.
type sessions struct {
	closing sync.WaitGroup // of those that gave way

	mu     sync.Mutex // guards what follows
	byName map[string]*session
	closed bool
}

// join takes a place in the line of the run's session, which is made when there
// is none of that name.
func (all *sessions) join(spec *agent.Run) (*session, *ticket, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	asked, root := spec.Session, spec.User == "root"
	s := all.byName[asked.Name]
	switch {
	case all.closed:
		return nil, nil, invalid("the VM is stopping")
	case s != nil && s.language != asked.Language:
		return nil, nil, invalid("session %s is of %s, not of %s: use another name, or close it first", s.name, s.language, asked.Language)
	case s != nil && s.root != root:
		return nil, nil, invalid("session %s is of another user of this VM: use another name, or close it first", s.name)
	case s == nil:
		if err := all.makeRoomLocked(); err != nil {
			return nil, nil, err
		}
		now := time.Now()
		s = &session{name: asked.Name, language: asked.Language, root: root, started: now, used: now}
		if all.byName == nil {
			all.byName = make(map[string]*session)
		}
		all.byName[s.name] = s
	}
	return s, s.line.join(), nil
}

// makeRoomLocked closes an idle session when there are too many.
func (all *sessions) makeRoomLocked() error {
	if len(all.byName) < maxSessions {
		return nil
	}
	var idle *session
	for _, s := range all.byName {
		if s.line.empty() && (idle == nil || s.state().LastUsedAt.Before(idle.state().LastUsedAt)) {
			idle = s
		}
	}
	if idle == nil {
		return invalid("this VM has %d sessions, and something runs in each of them", maxSessions)
	}
	delete(all.byName, idle.name)
	all.closing.Go(idle.close)
	return nil
}

func (all *sessions) list() []agent.SessionState {
	all.mu.Lock()
	defer all.mu.Unlock()
	states := make([]agent.SessionState, 0, len(all.byName))
	for _, s := range all.byName {
		states = append(states, s.state())
	}
	slices.SortFunc(states, func(a, b agent.SessionState) int { return strings.Compare(a.Name, b.Name) })
	return states
}

// close ends one session and waits for its interpreter's end.
func (all *sessions) close(name string) error {
	all.mu.Lock()
	s := all.byName[name]
	delete(all.byName, name)
	all.mu.Unlock()
	if s == nil {
		return refusal{wire.CodeNotFound, "session " + name}
	}
	s.close()
	return nil
}

// closeAll ends them all; none is made any more.
func (all *sessions) closeAll() {
	all.mu.Lock()
	all.closed = true
	left := all.byName
	all.byName = nil
	all.mu.Unlock()
	for _, s := range left {
		all.closing.Go(s.close)
	}
	all.closing.Wait()
}

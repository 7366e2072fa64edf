package guest

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
)

// session is a name under which an interpreter is kept.
type session struct {
	name     string
	language string
	root     bool
	line     line // of the runs that want it

	mu      sync.Mutex // guards what follows
	closed  bool
	kernel  *kernel // nil before the first start
	env     []string
	started time.Time
	used    time.Time
}

var errSessionClosed = errors.New("the session was closed")

// begin waits for the run's turn and hands its code to the interpreter, which is
// started when there is none.
func (s *session) begin(r *run, turn *ticket, starter Starter, p Program) (Process, error) {
	select {
	case <-turn.turn:
	case <-r.doomed:
		return nil, errDoomed
	}
	r.startClock()
	streams, err := starter.Streams(p)
	if err != nil {
		return nil, err
	}
	e, err := s.hand(r, streams, starter, p)
	if err != nil {
		streams.Close()
		return nil, err
	}
	return e, nil
}

// hand gives the code to the interpreter. One that has ended in the meantime, by
// something that an earlier execution left in it, is replaced: it has not begun
// with the code.
func (s *session) hand(r *run, streams Streams, starter Starter, p Program) (*execution, error) {
	for {
		k, note, fresh, err := s.interpreter(r.spec.Session, starter, p)
		if err != nil {
			return nil, err
		}
		err = s.ask(k, r, p, fresh)
		switch {
		case err == nil:
			streams.HandOver()
			return &execution{session: s, kernel: k, streams: streams, note: note}, nil
		case fresh:
			return nil, fmt.Errorf("the interpreter of session %s did not start, %s\n%s", s.name, k.obituary(), k.words)
		case r.isDoomed():
			return nil, errDoomed
		}
	}
}

// ask has the kernel begin with the code. A kernel that does not answer to a run
// that is doomed is killed.
func (s *session) ask(k *kernel, r *run, p Program, fresh bool) error {
	answered := make(chan struct{})
	defer close(answered)
	go func() {
		select {
		case <-r.doomed:
			if !within(interruptGrace, answered) {
				k.proc.Kill()
			}
		case <-answered:
		}
	}()
	if fresh {
		if _, err := k.hear("ready"); err != nil {
			return err
		}
	}
	k.counted = k.proc.Measure()
	return k.request(s.request(r, p))
}

// interpreter returns the session's kernel, a fresh one when there is none that
// lives; note says why.
func (s *session) interpreter(spec *agent.Session, starter Starter, p Program) (k *kernel, note string, fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = time.Now()
	switch {
	case s.closed:
		return nil, "", false, errSessionClosed
	case s.kernel != nil && !s.kernel.hasEnded():
		return s.kernel, "", false, nil
	case s.kernel != nil:
		note = fmt.Sprintf("session %s starts anew, without its variables: its interpreter had ended, %s", s.name, s.kernel.obituary())
	}
	p.Files, p.Scratch = spec.Files, spec.Scratch
	s.kernel, err = startKernel(starter, p)
	if err != nil {
		s.kernel = nil
		return nil, "", false, err
	}
	s.env, s.started = p.Env, time.Now()
	return s.kernel, note, true, nil
}

// request is what the kernel is asked: to go where the run says, if it says, and
// to set the variables that are not as they were when the kernel was started.
func (s *session) request(r *run, p Program) []string {
	dir := ""
	if r.spec.Dir != "" {
		dir = p.Dir
	}
	spec := r.spec.Session
	fields := append([]string{p.Scratch, spec.File, dir, strconv.Itoa(len(spec.Args))}, spec.Args...)
	for _, kv := range r.spec.Env {
		if !slices.Contains(s.env, kv) {
			fields = append(fields, kv)
		}
	}
	return fields
}

// close ends the session for good. The run in it ends with its interpreter.
func (s *session) close() {
	s.mu.Lock()
	s.closed = true
	k := s.kernel
	s.mu.Unlock()
	if k != nil {
		k.proc.Kill()
		<-k.gone
	}
}

func (s *session) state() agent.SessionState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return agent.SessionState{
		Name: s.name, Language: s.language, StartedAt: s.started.UTC(), LastUsedAt: s.used.UTC(),
		Alive: s.kernel != nil && !s.kernel.hasEnded(),
	}
}

// checkSession says what is wrong with a run in a session.
func checkSession(spec *agent.Run) error {
	s := spec.Session
	switch {
	case s.Name == "" || len(s.Name) > maxID:
		return invalid("a session's name has 1 to %d bytes", maxID)
	case len(spec.Build) > 0 || spec.Detach:
		return invalid("a run in a session has no build and is not detached")
	case spec.Scratch == "" || !path.IsAbs(s.Scratch) || path.Clean(s.Scratch) == "/":
		return invalid("a run in a session, and its interpreter, have scratch folders")
	}
	return nil
}

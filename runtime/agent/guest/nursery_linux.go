package guest

import (
	"bytes"
	"slices"
	"time"
)

// A supervisor may have an interpreter that waits, its zygote, from which programs
// are forked. It is started in the background when a program has ended that could
// have been forked, and only while no program of the VM is alive: between its
// start and the moment when it closes itself to others, a program of its user
// could look into it. Whoever has one started meanwhile spoils it.
//
// A zygote that was used gives way to a new one as soon as there is time, since
// all its programs have the same hash seed.

// renewAfter is how long no program may have been started before a zygote that was
// used is replaced.
const renewAfter = 300 * time.Millisecond

// nursery is what a machine knows of its zygotes; the machine's mutex guards it.
type nursery struct {
	wanted   *litter         // of the last program that could have been forked
	barren   map[string]bool // breeds of which there can be no zygote
	hatching *hatching       // nil = none is being started
	renewal  *time.Timer
	begun    int // programs that were started, ever
	starting int // those that are being started
}

// litter is what it takes to start a zygote.
type litter struct {
	breed   string
	command command
	code    []byte
}

// kind is the litter's breed; "" of nil.
func (l *litter) kind() string {
	if l == nil {
		return ""
	}
	return l.breed
}

// hatching is a zygote on its way.
type hatching struct {
	breed string
	done  chan struct{} // closed when it waits, or will not
	begun int           // programs started before
}

// litter of a program that may be forked, else nil.
func (m *machine) litter(p Program, c *command) *litter {
	if !p.forkable() {
		return nil
	}
	z, breed := p.Zygote, p.breed(c.Path)
	c.Options = z.Options
	m.mu.Lock()
	defer m.mu.Unlock()
	n := &m.nursery
	switch {
	case n.barren[breed]:
		return nil
	case n.wanted == nil || n.wanted.breed != breed:
		n.wanted = &litter{
			breed: breed,
			command: command{
				Path: c.Path, Argv: slices.Concat(p.Argv[:z.Options], z.Boot), Env: mergeEnv(p.Env, z.Env), Dir: "/", User: c.User,
			},
			code: bytes.Clone(z.Code), // a piece of a larger message
		}
	}
	return n.wanted
}

// beginStart counts a program that is about to be started, after a zygote that it
// could be forked from: that is there sooner than an interpreter of its own. The
// function returned is called once the program is among the active.
func (m *machine) beginStart(l *litter) (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for l != nil && m.nursery.hatching != nil && m.nursery.hatching.breed == l.breed {
		h := m.nursery.hatching
		m.mu.Unlock()
		<-h.done
		m.mu.Lock()
	}
	m.nursery.begun++
	m.nursery.starting++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.nursery.starting--
	}
}

// pickLocked takes the idle supervisor that suits best: one with a zygote of the
// breed, or for others one without any.
func (m *machine) pickLocked(breed string) *worker {
	best := len(m.idle) - 1
	for i, w := range m.idle {
		if w.breed == breed {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return m.takeLocked(best)
}

func (m *machine) takeLocked(i int) *worker {
	w := m.idle[i]
	m.idle = append(m.idle[:i:i], m.idle[i+1:]...)
	return w
}

// nurse starts the zygote that the next program is likely to want, if there is
// none and nothing runs; one that was used it replaces later.
func (m *machine) nurse() {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := &m.nursery
	if n.renewal != nil {
		n.renewal.Stop()
		n.renewal = nil
	}
	if !m.calmLocked() {
		return
	}
	for _, w := range m.idle {
		if w.breed != n.wanted.breed {
			continue
		}
		if w.forks > 0 {
			n.renewal = time.AfterFunc(renewAfter, m.renew)
		}
		return
	}
	m.hatchLocked(len(m.idle) - 1)
}

// calmLocked reports whether a zygote may be started.
func (m *machine) calmLocked() bool {
	n := &m.nursery
	return !m.closed && n.wanted != nil && !n.barren[n.wanted.breed] && n.hatching == nil &&
		n.starting == 0 && len(m.active) == 0 && len(m.idle) > 0
}

// renew replaces the zygote that was used.
func (m *machine) renew() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.calmLocked() {
		return
	}
	for i, w := range m.idle {
		if w.breed == m.nursery.wanted.breed && w.forks > 0 {
			m.hatchLocked(i)
			return
		}
	}
}

// hatchLocked has an idle supervisor start a zygote.
func (m *machine) hatchLocked(i int) {
	w, l := m.takeLocked(i), m.nursery.wanted
	h := &hatching{breed: l.breed, done: make(chan struct{}), begun: m.nursery.begun}
	m.nursery.hatching = h
	m.background.Go(func() {
		defer close(h.done)
		err := w.hatch(l)
		if err != nil {
			w.destroy()
		}
		m.mu.Lock()
		m.nursery.hatching = nil
		spoiled := m.nursery.begun != h.begun
		if err == nil && w.zygote.Load() == 0 && !spoiled {
			if m.nursery.barren == nil {
				m.nursery.barren = make(map[string]bool)
			}
			m.nursery.barren[l.breed] = true
		}
		m.mu.Unlock()
		switch {
		case err != nil:
			return
		case spoiled:
			w.bury()
		}
		m.giveBack(w)
	})
}

// giveBack makes a supervisor one of the idle. Of too many, one without a zygote
// goes.
func (m *machine) giveBack(w *worker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || w.spent {
		w.dismiss()
		return
	}
	m.idle = append(m.idle, w)
	if len(m.idle) <= spares {
		return
	}
	for i, w := range m.idle {
		if w.breed == "" || i == len(m.idle)-1 {
			m.takeLocked(i).dismiss()
			return
		}
	}
}

// hatch has an idle supervisor start a zygote, in place of the one it may have.
func (w *worker) hatch(l *litter) error {
	w.wake()
	_ = w.control.SetDeadline(time.Now().Add(hatchLimit + startLimit)) // fails when closed, as what follows
	defer w.control.SetDeadline(time.Time{})
	w.breed, w.forks = l.breed, 0
	if err := w.control.send(order{Op: "hatch", Command: &l.command, Code: l.code}); err != nil {
		return err
	}
	_, err := w.hear()
	return err
}

// bury has an idle supervisor end its zygote.
func (w *worker) bury() {
	w.breed = ""
	w.zygote.Store(0)
	_ = w.control.send(order{Op: "bury"}) // a dead supervisor is noticed where it is heard
}

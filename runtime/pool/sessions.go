package pool

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

// sessionName is what a session may be called: it names a folder in the VM.
var sessionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`) })

// checkSession says what is wrong with a request for a session.
func (r *RunRequest) checkSession() error {
	switch {
	case r.Session == "":
		return nil
	case !sessionName().MatchString(r.Session):
		return invalid("session", "%s is no name for a session: letters, digits, dot, dash and underscore, at most 63, beginning with a letter or digit", quote(r.Session))
	case r.Detach:
		return invalid("detach", "code in a session cannot be detached: the session's next execution waits for its end")
	}
	return nil
}

// noSessions refuses a session of a language that has none.
func noSessions(l lang.Language, table *lang.Table) error {
	var with []string
	for _, other := range table.Languages() {
		if len(other.Session) > 0 {
			with = append(with, other.ID)
		}
	}
	e := invalid("session", "%s has no interpreter that could be kept in a session", l.Name)
	e.Hint = "languages with sessions: " + strings.Join(with, ", ")
	return e
}

// Sessions lists the interpreters that a VM keeps, by name; none while it does
// not run.
func (t *Tenant) Sessions(ctx context.Context, vm db.VirtualMachine) ([]agent.SessionState, error) {
	if vm.Status != db.Running {
		return nil, nil
	}
	client, err := t.agents.get(ctx, vm)
	if err != nil {
		return nil, t.unreachable(ctx, vm, err)
	}
	return client.Sessions(ctx)
}

// CloseSession ends a session's interpreter, and the execution that is in it.
func (t *Tenant) CloseSession(ctx context.Context, vm db.VirtualMachine, name string) error {
	absent := &Error{Kind: ErrNotFound, Field: "session", Message: "VM " + vm.Name + " has no session " + quote(name), Hint: "vm sessions " + vm.Name + " lists them"}
	if vm.Status != db.Running {
		return absent
	}
	client, err := t.agents.get(ctx, vm)
	if err != nil {
		return t.unreachable(ctx, vm, err)
	}
	err = client.CloseSession(ctx, name)
	if errors.Is(err, agent.ErrNotFound) {
		return absent
	}
	return err
}

package pool

import (
	"context"
	"time"

	"github.com/itechsmart/vm/db"
)

// event adds an entry to the security feed. The operation that it tells of has
// happened: a failure to record it goes to the log and nowhere else. Nobody hears
// of builds.
func (p *Pool) event(ctx context.Context, vm db.VirtualMachine, severity, kind, message string, data map[string]any) {
	if vm.Build != "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	e := &db.Event{
		Time: now(), Severity: severity, Type: kind, Message: message, Data: data,
		UserID: vm.UserID, User: vm.UserName, VMID: vm.ID, VMName: vm.Name,
	}
	if err := p.store.AddEvent(ctx, e); err != nil {
		p.log.Error("cannot record an event", "type", kind, "error", err)
	}
}

// Events returns the feed's entries, newest first.
func (t *Tenant) Events(ctx context.Context, vmID int64, severity string, since time.Time, limit int) ([]db.Event, error) {
	events, err := t.store.Events(ctx, t.user.ID, vmID, severity, since, limit)
	return events, stored(err)
}

// Watch delivers changes that any process makes, until ctx ends.
func (p *Pool) Watch(ctx context.Context) <-chan db.Change { return p.store.Watch(ctx) }

// EventByID reads one entry that Watch told of; ErrNotFound when it is another
// user's.
func (t *Tenant) EventByID(ctx context.Context, id int64) (db.Event, error) {
	e, err := t.store.Event(ctx, id)
	if err == nil && e.UserID != t.user.ID {
		return db.Event{}, notFound("event", id, "")
	}
	return e, stored(err)
}

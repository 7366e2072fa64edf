package handlers

import (
	"context"

	"github.com/itechsmart/vm/db"
)

// feed tells the client what changes, by whatever process, until ctx ends.
// A client that does not read holds the feed back; the store then sends a resync
// instead of a backlog.
func feed(ctx context.Context, s Scope) {
	for change := range s.Watch(ctx) {
		var err error
		switch {
		case change.Kind == "resync":
			err = s.resync(ctx)
		case change.Table == "virtual_machines":
			err = s.notifyVM(ctx, change)
		case change.Table == "events":
			err = s.notifyEvent(ctx, change.ID)
		}
		if err != nil {
			return // the client is gone
		}
	}
}

// resync tells of every VM as it is now: any of them may have changed.
func (s Scope) resync(ctx context.Context) error {
	vms, err := s.List(ctx, db.VMFilter{}, false)
	if err != nil {
		return nil // the database is away again; another resync follows
	}
	for _, vm := range vms {
		wire := encodeVM(vm)
		if err := s.Client.Notify(ctx, "vm/changed", Changed{ID: vm.ID, Change: "updated", VM: &wire}); err != nil {
			return err
		}
	}
	return nil
}

func (s Scope) notifyVM(ctx context.Context, c db.Change) error {
	notice := Changed{ID: c.ID, Change: c.Kind}
	if c.Kind != "deleted" {
		vm, err := s.Get(ctx, c.ID, "")
		if err != nil {
			return nil // another user's, or deleted meanwhile: its own notice follows
		}
		wire := encodeVM(vm)
		notice.VM = &wire
	}
	return s.Client.Notify(ctx, "vm/changed", notice)
}

func (s Scope) notifyEvent(ctx context.Context, id int64) error {
	e, err := s.EventByID(ctx, id)
	if err != nil {
		return nil // another user's
	}
	return s.Client.Notify(ctx, "vm/event", encodeEvent(e))
}

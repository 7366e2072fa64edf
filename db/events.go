package db

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// severities from the mildest to the worst.
var severities = []string{"info", "warning", "error", "critical"}

func (s *store) AddEvent(ctx context.Context, e *Event) error {
	setNow(&e.Time)
	return s.change(ctx, "add event", func(tx bun.Tx) (Change, error) {
		e.ID = 0
		_, err := tx.NewInsert().Model(e).Exec(ctx)
		return Change{TableEvents, e.ID, Created}, err
	})
}

func (s *store) Event(ctx context.Context, id int64) (e Event, err error) {
	err = s.query(ctx, "find event", func(db bun.IDB) error {
		return db.NewSelect().Model(&e).Where("id = ?", id).Scan(ctx)
	})
	return e, err
}

func (s *store) Events(
	ctx context.Context, userID, vmID int64, severity string, since time.Time, limit int,
) (events []Event, err error) {
	err = s.query(ctx, "list events", func(db bun.IDB) error {
		q := db.NewSelect().Model(&events).Order("id DESC")
		q = whereSet(q, "user_id = ?", userID)
		q = whereSet(q, "vm_id = ?", vmID)
		if severity != "" {
			q = q.Where("severity IN (?)", bun.List(andWorse(severity)))
		}
		if !since.IsZero() {
			q = q.Where("time >= ?", since)
		}
		return atMost(q, limit).Scan(ctx)
	})
	return events, err
}

// andWorse returns a severity and the worse ones. An unknown one stands alone.
func andWorse(severity string) []string {
	if i := slices.Index(severities, severity); i >= 0 {
		return severities[i:]
	}
	return []string{severity}
}

package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/uptrace/bun"
)

// How SQLite processes tell each other of changes: every write adds a row to the
// table changes. Whoever watches asks for the file's data version, a number
// that another connection's commit changes and that costs microseconds to read,
// and reads the new rows when it differs.
const (
	pollInterval = 75 * time.Millisecond
	// Every pruneEvery notices, all but the newest keepNotices are deleted.
	// Who has missed more sees a gap in the ids, and resyncs.
	pruneEvery  = 256
	keepNotices = 1024
)

func (e *sqlite) notify(ctx context.Context, tx bun.Tx, change Change) error {
	var id int64
	err := tx.NewRaw("INSERT INTO changes (table_name, row_id, kind) VALUES (?, ?, ?) RETURNING id",
		change.Table, change.ID, change.Kind).Scan(ctx, &id)
	if err != nil || id%pruneEvery != 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM changes WHERE id <= ?", id-keepNotices)
	return err
}

// committed spares this process's own watchers the wait for the next poll.
func (e *sqlite) committed() {
	select {
	case e.poked <- struct{}{}:
	default:
	}
}

func (e *sqlite) follow(ctx context.Context, ready func(), publish func(Change)) error {
	conn, err := e.reader.DB.Conn(ctx) // the data version is a connection's own
	if err != nil {
		return err
	}
	defer conn.Close()
	var last int64
	if err := conn.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM changes").Scan(&last); err != nil {
		return err
	}
	ready()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for version := int64(-1); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.poked:
		case <-tick.C:
			before := version
			if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
				return err
			}
			if version == before {
				continue
			}
		}
		if last, err = publishSince(ctx, conn, last, publish); err != nil {
			return err
		}
	}
}

// publishSince publishes the notices after last, and returns the last of them.
func publishSince(ctx context.Context, conn *sql.Conn, last int64, publish func(Change)) (int64, error) {
	rows, err := conn.QueryContext(ctx, "SELECT id, table_name, row_id, kind FROM changes WHERE id > ? ORDER BY id", last)
	if err != nil {
		return last, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id     int64
			change Change
		)
		if err := rows.Scan(&id, &change.Table, &change.ID, &change.Kind); err != nil {
			return last, err
		}
		if id != last+1 {
			change = Change{Kind: Resync}
		}
		last = id
		publish(change)
	}
	return last, rows.Err()
}

package db

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/uptrace/bun"
)

// engine is what the two databases do differently. Its methods are safe for
// concurrent use.
type engine interface {
	// classify says what an error of the driver means.
	classify(err error) class

	// lock lets a SELECT lock the rows of the table with this alias until its
	// transaction ends, where the transaction does not exclude other writers
	// anyhow.
	lock(q *bun.SelectQuery, alias string) *bun.SelectQuery

	// now is the time on the clock that all processes of the database share.
	now(ctx context.Context, tx bun.Tx) (time.Time, error)

	// notify makes the change known to every process once tx is committed.
	notify(ctx context.Context, tx bun.Tx, change Change) error

	// committed is called after each commit of this process.
	committed()

	// follow calls publish for each change of every process, this one included,
	// in the order of their commits, until ctx ends or the connection breaks. It
	// calls ready first, when no later change can escape it.
	follow(ctx context.Context, ready func(), publish func(Change)) error

	// connector connects for a migration, with time enough for it.
	connector() driver.Connector

	// beginMigration begins a transaction on db, which has one connection, that
	// excludes all other migrations. It fails with a busy error or waits.
	beginMigration(ctx context.Context, db *bun.DB) error

	// words are what migrations are written with.
	words() words

	// opened is called once, before all calls but those for migrations.
	opened(instance string)
}

// words stand for what the two databases spell differently in a migration.
type words struct {
	Serial       string // an integer primary key that counts up and never repeats
	Bytes        string
	Time         string
	JSON         string
	ChangesTable bool   // whether notices go through a table
	NewInstance  string // a new instance id
}

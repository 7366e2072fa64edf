package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/itechsmart/vm/runtime"
)

// Migrations are files named NUMBER_subject.up.sql; they run in the order of
// their numbers and are never changed once released. There is no way back.
//
//go:embed migrations
var migrationFiles embed.FS

// Tables of bun's migrator. Its lock table stays empty: our lock ends with the
// process that holds it.
const (
	migrationsTable = "migrations"
	locksTable      = "migration_locks"
)

// prepare brings the database to this program's state, and reads its instance.
// One query tells that there is nothing to do, as nearly always.
func (s *store) prepare(ctx context.Context) error {
	newest, err := newestMigration()
	if err != nil {
		return err
	}
	applied, err := s.identify(ctx)
	switch {
	case err != nil && s.engine.classify(err) != unmade:
		return err
	case err == nil && applied == newest:
		return nil
	case err == nil && applied > newest:
		return tooNew(applied, newest)
	}
	if err := s.attempt(ctx, "migrate", func() (bool, error) { return true, s.migrate(ctx, newest) }); err != nil {
		return err
	}
	_, err = s.identify(ctx)
	return err
}

// identify reads the newest migration and the instance.
func (s *store) identify(ctx context.Context) (applied string, err error) {
	err = s.query(ctx, "connect", func(db bun.IDB) error {
		return db.NewRaw("SELECT (SELECT max(name) FROM ?), (SELECT id FROM instance)", bun.Ident(migrationsTable)).
			Scan(ctx, &applied, &s.instance)
	})
	return applied, err
}

// migrate applies what is missing, all of it or nothing: both databases roll
// back the definition of tables too. So a process may die here at any moment,
// and the marks of bun's migrator are true.
func (s *store) migrate(ctx context.Context, newest string) error {
	pool := sql.OpenDB(&onceConnector{Connector: s.engine.connector()})
	defer pool.Close() // without COMMIT, this rolls back
	pool.SetMaxOpenConns(1)
	db := bun.NewDB(pool, s.writer.Dialect())
	if err := s.engine.beginMigration(ctx, db); err != nil {
		return err
	}
	migrator, err := newMigrator(db, s.engine.words())
	if err != nil {
		return err
	}
	if err := migrator.Init(ctx); err != nil {
		return err
	}
	unknown, err := migrator.MissingMigrations(ctx)
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return tooNew(unknown[0].Name, newest)
	}
	if _, err := migrator.Migrate(ctx); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "COMMIT")
	return err
}

func newMigrator(db *bun.DB, w words) (*migrate.Migrator, error) {
	migrations := migrate.NewMigrations()
	if err := migrations.Discover(migrationFiles); err != nil {
		return nil, err
	}
	w.NewInstance = newInstance()
	return migrate.NewMigrator(db, migrations,
		migrate.WithTableName(migrationsTable),
		migrate.WithLocksTableName(locksTable),
		migrate.WithMarkAppliedOnSuccess(true),
		migrate.WithTemplateData(w)), nil
}

// newInstance returns 60 random bits in lower-case letters and digits.
func newInstance() string { return strings.ToLower(rand.Text()[:12]) }

func newestMigration() (string, error) {
	files, err := fs.ReadDir(migrationFiles, "migrations") // sorted
	if err != nil {
		return "", err
	}
	number, _, _ := strings.Cut(files[len(files)-1].Name(), "_")
	return number, nil
}

// ErrTooNew means that a newer version of this program has changed the database.
var ErrTooNew = errors.New("the database belongs to a newer version of this program")

func tooNew(applied, known string) error {
	err := fmt.Errorf("%w (its state is %s, this program knows %s)", ErrTooNew, applied, known)
	return runtime.WithHint(err, "update this program, or choose another database")
}

// onceConnector connects once. A second connection, opened by database/sql
// because the first broke, would go on outside of the transaction.
type onceConnector struct {
	driver.Connector
	used atomic.Bool
}

func (c *onceConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.used.Swap(true) {
		return nil, driver.ErrBadConn
	}
	return c.Connector.Connect(ctx)
}

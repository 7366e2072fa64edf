package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	driversqlite "modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"
)

// readers is how many connections of one process read at once; one more belongs
// to the feed. Reading and writing do not wait for each other (WAL).
const readers = 4

// sqlite is the engine for an SQLite file. All writers of a process share one
// connection, and queue for it in Go: SQLite itself would let them poll for the
// lock, and starve some.
type sqlite struct {
	dsn    string // without the pragmas
	reader *bun.DB
	poked  chan struct{} // holds one element when this process has committed
}

func openSQLite(path string) (*store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	location := url.URL{Path: filepath.ToSlash(path)}
	e := &sqlite{dsn: "file://" + location.EscapedPath(), poked: make(chan struct{}, 1)}
	dialect := plainText{sqlitedialect.New()}
	e.reader = bun.NewDB(pool(e.connect("query_only(1)"), readers+1), dialect)
	writer := bun.NewDB(pool(e.connector(), 1), dialect)
	return newStore(e, e.reader, writer), nil
}

// makePrivate makes what is missing of the folder and the file, for the owner
// alone; SQLite's files beside it take over the mode. An existing file is not
// even opened: closing it would drop the locks that this process holds on it.
func makePrivate(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	empty, err := os.CreateTemp(folder, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(empty.Name())
	if err := empty.Close(); err != nil {
		return err
	}
	// Where links are unknown, or somebody was faster, SQLite goes on by itself.
	_ = os.Link(empty.Name(), path)
	return nil
}

// connect returns a connector whose connections run these pragmas, and those
// that all have, first. The busy timeout is short because attempt tries again:
// SQLite's own wait heeds no cancellation.
func (e *sqlite) connect(pragmas ...string) driver.Connector {
	pragmas = append(pragmas, "busy_timeout(100)", "foreign_keys(1)", "synchronous(NORMAL)")
	query := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	return sqliteConnector{dsn: e.dsn + "?" + query.Encode()}
}

type sqliteConnector struct{ dsn string }

func (sqliteConnector) Driver() driver.Driver { return &driversqlite.Driver{} }

func (c sqliteConnector) Connect(context.Context) (driver.Conn, error) {
	return c.Driver().Open(c.dsn)
}

func (e *sqlite) connector() driver.Connector { return e.connect() }

func (e *sqlite) beginMigration(ctx context.Context, db *bun.DB) error {
	// The file remembers its mode: setting it belongs to the first migration,
	// but cannot be done inside a transaction.
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, "BEGIN IMMEDIATE")
	return err
}

func (e *sqlite) words() words {
	return words{
		Serial:       "INTEGER PRIMARY KEY AUTOINCREMENT",
		Bytes:        "BLOB",
		Time:         "TIMESTAMP",
		JSON:         "TEXT",
		ChangesTable: true,
	}
}

func (e *sqlite) opened(string) {}

// lock does nothing: every transaction begins as the only writer.
func (e *sqlite) lock(q *bun.SelectQuery, _ string) *bun.SelectQuery { return q }

// now is this machine's clock: all processes that share a file are on it.
func (e *sqlite) now(context.Context, bun.Tx) (time.Time, error) { return time.Now().UTC(), nil }

func (e *sqlite) classify(err error) class {
	var failed *driversqlite.Error
	if !errors.As(err, &failed) {
		return other
	}
	switch failed.Code() {
	case sqlitecode.SQLITE_CONSTRAINT_UNIQUE, sqlitecode.SQLITE_CONSTRAINT_PRIMARYKEY:
		return exists
	case sqlitecode.SQLITE_CONSTRAINT_FOREIGNKEY:
		return orphaned
	}
	switch failed.Code() & 0xff { // the primary code of an extended one
	case sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED, sqlitecode.SQLITE_PROTOCOL:
		return busy
	case sqlitecode.SQLITE_CANTOPEN, sqlitecode.SQLITE_IOERR:
		return lost
	case sqlitecode.SQLITE_ERROR: // whatever is wrong with a statement
		if strings.Contains(failed.Error(), "no such table") {
			return unmade
		}
	}
	return other
}

// sqliteReason is reason for SQLite's errors, and the rest.
func sqliteReason(err error) string {
	var failed *driversqlite.Error
	if !errors.As(err, &failed) {
		return err.Error()
	}
	switch failed.Code() & 0xff {
	case sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED, sqlitecode.SQLITE_PROTOCOL:
		return "another process holds it locked"
	case sqlitecode.SQLITE_CANTOPEN:
		return "its file cannot be opened"
	case sqlitecode.SQLITE_IOERR:
		return "reading or writing its file failed"
	case sqlitecode.SQLITE_FULL:
		return "the disk is full"
	case sqlitecode.SQLITE_READONLY:
		return "its file cannot be written"
	case sqlitecode.SQLITE_CORRUPT:
		return "its file is damaged"
	case sqlitecode.SQLITE_NOTADB:
		return "its file is no SQLite database"
	}
	return err.Error()
}

package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/itechsmart/vm/runtime"
)

const (
	// defaultPatience is how long a call waits for a busy database.
	defaultPatience = 10 * time.Second
	// maxIdle is how long an unused connection is kept.
	maxIdle = 5 * time.Minute
)

// store implements Store for both databases.
type store struct {
	engine         engine
	reader, writer *bun.DB // one and the same for PostgreSQL
	feed           *feed
	instance       string
	patience       time.Duration
	closed         atomic.Bool
}

// Open opens the database, makes it when it is an SQLite file that is missing,
// and brings it to the state that this program needs. The URL is one of
//
//	postgres://user:password@host:port/database?sslmode=…   (see pgconn.Parse)
//	sqlite:PATH
//	PATH
//
// It fails with ErrGone when the database cannot be reached, and with ErrTooNew
// when a newer version of this program has changed it. The caller closes the
// Store.
func Open(ctx context.Context, url string) (Store, error) {
	s, err := newStoreFor(url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := s.prepare(ctx); err != nil {
		_ = s.Close()
		err = fmt.Errorf("open database: %w", err)
		if errors.Is(err, ErrGone) {
			err = runtime.WithHint(err, "check that the database is running, and that its URL or path is right")
		}
		return nil, err
	}
	s.engine.opened(s.instance)
	return s, nil
}

func newStoreFor(url string) (*store, error) {
	scheme, _, isURL := strings.Cut(url, "://")
	switch {
	case isURL && (scheme == "postgres" || scheme == "postgresql"):
		return openPostgres(url)
	case isURL:
		return nil, fmt.Errorf("unknown scheme %q: want postgres:// or the path of an SQLite file", scheme)
	}
	path := strings.TrimPrefix(url, "sqlite:")
	if path == "" {
		return nil, errors.New("no path: want postgres:// or the path of an SQLite file")
	}
	return openSQLite(path)
}

func newStore(e engine, reader, writer *bun.DB) *store {
	return &store{engine: e, reader: reader, writer: writer, feed: newFeed(e), patience: defaultPatience}
}

// pool of at most so many connections.
func pool(c driver.Connector, connections int) *sql.DB {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(maxIdle)
	return db
}

// dropIdle closes the connections that nobody uses at the moment.
func (s *store) dropIdle() {
	for _, db := range []*bun.DB{s.reader, s.writer} {
		connections := db.Stats().MaxOpenConnections
		db.SetMaxIdleConns(-1)
		db.SetMaxIdleConns(connections)
	}
}

func (s *store) Instance() string { return s.instance }

func (s *store) Watch(ctx context.Context) <-chan Change { return s.feed.watch(ctx) }

// Close ends the feeds, waits for calls under way and closes the connections.
// Later calls fail with ErrGone. It may be repeated.
func (s *store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.feed.end()
	// The writer last: SQLite's last connection tidies up the file.
	return errors.Join(s.reader.Close(), s.writer.Close())
}

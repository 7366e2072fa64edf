package db_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/db/dbtest"
	"github.com/itechsmart/vm/runtime"
)

// hold keeps all writers out until release is called.
func hold(t *testing.T, database string) (release func()) {
	t.Helper()
	beside := dbtest.SQL(t, database)
	conn, err := beside.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	statements := []string{"BEGIN IMMEDIATE"}
	if strings.Contains(database, "://") {
		statements = []string{"BEGIN", "LOCK TABLE instance, events"}
	}
	for _, statement := range statements {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

func testCancel(t *testing.T, database string) {
	s := open(t, database)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.VM(ended, 1)
	wantError(t, err, context.Canceled)

	release := hold(t, database)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- s.AddEvent(ctx, &db.Event{}) }()
	if strings.Contains(database, "://") {
		awaitBlocked(t, dbtest.SQL(t, database), 1)
	}
	cancel()
	wantError(t, next(t, result), context.Canceled)

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantError(t, s.AddEvent(short, &db.Event{}), context.DeadlineExceeded)
	release()
	addEvent(t, s)
}

// awaitBlocked returns when so many statements wait for a lock on the table
// events.
func awaitBlocked(t *testing.T, beside *sql.DB, statements int) {
	t.Helper()
	for blocked := 0; blocked < statements; {
		if err := beside.QueryRowContext(t.Context(),
			"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass").Scan(&blocked); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSQLiteBusy(t *testing.T) {
	file := dbtest.SQLite(t)
	s := open(t, file)
	db.SetPatience(s, time.Millisecond)
	release := hold(t, file)
	if _, err := s.VMs(t.Context(), db.VMFilter{}); err != nil {
		t.Errorf("reading while another process writes: %v", err)
	}
	wantError(t, s.AddEvent(t.Context(), &db.Event{}), db.ErrGone)
	release()
	addEvent(t, s)
}

func TestSQLiteModes(t *testing.T) {
	file := dbtest.SQLite(t)
	addEvent(t, open(t, file))
	for path, want := range map[string]os.FileMode{filepath.Dir(file): 0o700, file: 0o600, file + "-wal": 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %v", path, info.Mode().Perm(), want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".new-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	var mode string
	if err := dbtest.SQL(t, file).QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %q, %v", mode, err)
	}
}

func TestPostgresGone(t *testing.T) {
	database := dbtest.Postgres(t)
	proxy := dbtest.NewProxy(t, database, nil)
	s := open(t, proxy.URL(url.Values{}))
	vm := reserve(t, s, "a")
	for range 3 {
		proxy.Cut()
		_, err := s.VM(t.Context(), vm.ID)
		wantError(t, err, db.ErrGone)
		wantError(t, s.AddEvent(t.Context(), &db.Event{}), db.ErrGone)
		_, err = db.Open(t.Context(), proxy.URL(url.Values{}))
		if !errors.Is(err, db.ErrGone) {
			t.Errorf("opened a database that is away: %v", err)
		}
		proxy.Restore()
		getVM(t, s, vm.ID)
		addEvent(t, s)
	}
	// The server breaks all idle connections but can be reached: nobody notices.
	for _, call := range []func(){func() { getVM(t, s, vm.ID) }, func() { addEvent(t, s) }} {
		openConnections(t, s, database)
		proxy.Cut()
		proxy.Restore()
		call()
	}
}

// A refusal is told in the server's words.
func TestPostgresRefuses(t *testing.T) {
	database, err := url.Parse(dbtest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	database.Path = "/no_such_database"
	_, err = db.Open(t.Context(), database.String())
	if err == nil || !strings.Contains(err.Error(), `database "no_such_database" does not exist`) {
		t.Errorf("got %v", err)
	}
}

// openConnections leaves s with several idle connections.
func openConnections(t *testing.T, s db.Store, database string) {
	t.Helper()
	const several = 3
	release := hold(t, database)
	results := make(chan error, several)
	for range several {
		go func() { results <- s.AddEvent(t.Context(), &db.Event{}) }()
	}
	awaitBlocked(t, dbtest.SQL(t, database), several)
	release()
	for range several {
		if err := next(t, results); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ database, want string }{
		{"", "no path"},
		{"sqlite:", "no path"},
		{"mysql://localhost/x", `unknown scheme "mysql"`},
		{"postgres://u:secret%zz@localhost/x", "invalid URL escape"},
		{"postgres://u:secret@127.0.0.1:1/x", "connection refused"},
		{"postgres://localhost/x?sslmode=sometimes", "sslmode"},
		{text, "no SQLite database"},
		{filepath.Join(text, "below.db"), "not a directory"},
		{folder, "cannot be opened"},
	} {
		s, err := db.Open(t.Context(), c.database)
		if err == nil {
			_ = s.Close()
			t.Errorf("%q: opened", c.database)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %q, want it to hold %q", c.database, err, c.want)
		}
		if errors.Is(err, db.ErrGone) != (runtime.Hint(err) != "") {
			t.Errorf("%q: %q has the hint %q", c.database, err, runtime.Hint(err))
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the password is in %q", c.database, err)
		}
	}
}

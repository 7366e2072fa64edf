// Package dbtest gives tests databases of their own, of both kinds.
package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite", for SQL

	"github.com/itechsmart/vm/db/internal/pgconn"
)

// PostgresEnv names the environment variable with the URL of a PostgreSQL
// server whose user may create schemas.
const PostgresEnv = "ITECHSMART_TEST_POSTGRES"

// Engine is one kind of database.
type Engine struct {
	Name string
	// New returns the URL of an empty database that is removed after the test.
	New func(testing.TB) string
}

// Engines lists every kind.
func Engines() []Engine {
	return []Engine{{"sqlite", SQLite}, {"postgres", Postgres}}
}

// SQLite returns the path of a file that does not exist yet, in a folder that
// does not either.
func SQLite(t testing.TB) string {
	return filepath.Join(t.TempDir(), "state folder", "100% #1?.db")
}

// Postgres returns the URL of an empty schema. It skips the test when there is
// no server, and fails it when the environment variable CI is true.
func Postgres(t testing.TB) string {
	t.Helper()
	server := server(t)
	admin := SQL(t, server)
	schema := "test_" + strings.ToLower(rand.Text())
	if _, err := admin.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return withParameter(t, server, "search_path", schema)
}

func server(t testing.TB) string {
	t.Helper()
	server := os.Getenv(PostgresEnv)
	if server == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(PostgresEnv + " is not set: no PostgreSQL to test on")
		}
		t.Skip(PostgresEnv + " is not set: no PostgreSQL to test on")
	}
	return server
}

// SQL opens a database beside the store, for what the store does not do. It is
// closed after the test.
func SQL(t testing.TB, database string) *sql.DB {
	t.Helper()
	var db *sql.DB
	if strings.Contains(database, "://") {
		config, err := pgconn.Parse(database)
		if err != nil {
			t.Fatal(err)
		}
		db = sql.OpenDB(config.Connector())
	} else {
		var err error
		location := url.URL{Path: database}
		if db, err = sql.Open("sqlite", "file://"+location.EscapedPath()+"?_pragma=busy_timeout(10000)"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func withParameter(t testing.TB, database, name, value string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String()
}

package db_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/db/dbtest"
)

func testMigrateTwice(t *testing.T, url string) {
	s := open(t, url)
	if !regexp.MustCompile(`^[a-z0-9]{12}$`).MatchString(s.Instance()) {
		t.Errorf("instance %q", s.Instance())
	}
	vm := reserve(t, s, "a")
	again := open(t, url)
	if s.Instance() != again.Instance() {
		t.Errorf("instance %q, then %q", s.Instance(), again.Instance())
	}
	getVM(t, again, vm.ID)
	// Forgotten marks are the one way to run a migration twice: it must not
	// harm what is there.
	if _, err := dbtest.SQL(t, url).Exec("DELETE FROM migrations"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Open(t.Context(), url); err == nil {
		t.Error("a migration ran over existing tables")
	}
	getVM(t, s, vm.ID)
}

func testMigrateNewer(t *testing.T, url string) {
	open(t, url)
	beside := dbtest.SQL(t, url)
	for _, unknown := range []string{"9999", "0000"} {
		// 0000 is unknown without being the newest: a newer program's migration
		// of an older line.
		if _, err := beside.Exec("UPDATE migrations SET name = '" + unknown + "'"); err != nil {
			t.Fatal(err)
		}
		_, err := db.Open(t.Context(), url)
		wantError(t, err, db.ErrTooNew)
	}
}

// A migration that fails half-way leaves nothing, and can run again.
func testMigrateFails(t *testing.T, url string) {
	if s, err := db.Open(t.Context(), url); err == nil { // makes the SQLite file
		_ = s.Close()
	}
	beside := dbtest.SQL(t, url)
	for _, table := range []string{
		"vm_snapshots", "vm_setups", "virtual_machines", "users", "vm_executions", "vm_templates", "leases", "instance", "migrations",
	} {
		if _, err := beside.Exec("DROP TABLE " + table); err != nil {
			t.Fatal(err)
		}
	}
	_, err := db.Open(t.Context(), url)
	if err == nil {
		t.Fatal("the table events is in the way, yet the migration succeeded")
	}
	for _, internal := range []string{"CREATE", "SQLSTATE"} {
		if strings.Contains(err.Error(), internal) {
			t.Errorf("the text %q holds %q", err, internal)
		}
	}
	for _, table := range []string{"users", "migrations"} {
		if _, err := beside.Exec("SELECT 1 FROM " + table); err == nil {
			t.Errorf("the failed migration has left the table %s", table)
		}
	}
	for _, table := range []string{"events", "changes"} {
		if _, err := beside.Exec("DROP TABLE IF EXISTS " + table); err != nil {
			t.Fatal(err)
		}
	}
	addEvent(t, open(t, url))
}

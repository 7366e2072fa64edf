package db_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/db/dbtest"
)

// suite is what a store must do, whatever database it is on. Each test gets the
// URL of an empty one.
var suite = []struct {
	name string
	test func(*testing.T, string)
}{
	{"Users", testUsers},
	{"Rows", testRows},
	{"Text", testText},
	{"Filter", testFilter},
	{"Quota", testQuota},
	{"Update", testUpdate},
	{"UpdateRefused", testUpdateRefused},
	{"Delete", testDelete},
	{"Count", testCount},
	{"Execution", testExecution},
	{"ExecutionStates", testExecutionStates},
	{"Executions", testExecutions},
	{"Snapshot", testSnapshot},
	{"SnapshotChain", testSnapshotChain},
	{"Undone", testUndone},
	{"Events", testEvents},
	{"Templates", testTemplates},
	{"Setup", testSetup},
	{"Leases", testLeases},
	{"Watch", testWatch},
	{"WatchOthers", testWatchOthers},
	{"WatchSlow", testWatchSlow},
	{"Close", testClose},
	{"Cancel", testCancel},
	{"MigrateTwice", testMigrateTwice},
	{"MigrateNewer", testMigrateNewer},
	{"MigrateFails", testMigrateFails},
	{"ProcessesOpen", testProcessesOpen},
	{"ProcessesReserve", testProcessesReserve},
	{"ProcessesUpdate", testProcessesUpdate},
	{"ProcessKilled", testProcessKilled},
}

func TestStore(t *testing.T) {
	for _, engine := range dbtest.Engines() {
		t.Run(engine.Name, func(t *testing.T) {
			for _, c := range suite {
				t.Run(c.name, func(t *testing.T) { c.test(t, engine.New(t)) })
			}
		})
	}
}

func open(t testing.TB, url string) db.Store {
	t.Helper()
	s, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ensureUser(t testing.TB, s db.Store, name string) db.User {
	t.Helper()
	user, err := s.EnsureUser(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// plenty is a quota that no test reaches.
var plenty = db.Quota{PerUser: 1000, Total: 1000}

// reserve makes a running VM of the user "ada", altered by change.
func reserve(t testing.TB, s db.Store, name string, change ...func(*db.VirtualMachine)) db.VirtualMachine {
	t.Helper()
	vm := db.VirtualMachine{UserID: ensureUser(t, s, "ada").ID, Name: name, Status: db.Running}
	for _, c := range change {
		c(&vm)
	}
	if err := s.ReserveVM(t.Context(), &vm, plenty); err != nil {
		t.Fatal(err)
	}
	return vm
}

func getVM(t testing.TB, s db.Store, id int64) db.VirtualMachine {
	t.Helper()
	vm, err := s.VM(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// wantError compares by errors.Is and checks that the text is fit for a user.
func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !isError(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
	for _, internal := range []string{"SELECT", "INSERT", "UPDATE", "DELETE", "SQLSTATE", "virtual_machines", "vm_executions", "/"} {
		if strings.Contains(err.Error(), internal) {
			t.Errorf("the text %q holds %q", err, internal)
		}
	}
}

func isTime(t testing.TB, got, from, to time.Time) {
	t.Helper()
	if got.Before(from.Truncate(time.Microsecond)) || got.After(to) {
		t.Errorf("got %v, want a time from %v to %v", got, from, to)
	}
}

// next fails the test when nothing arrives in a long time.
func next[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	const limit = 2 * time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatal("the channel is closed")
		}
		return v
	case <-ctx.Done():
		t.Fatalf("nothing came in %v", limit)
	}
	panic("unreachable")
}

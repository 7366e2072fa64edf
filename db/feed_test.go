package db_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/db/dbtest"
)

// wantChanges reads as many changes and compares them.
func wantChanges(t *testing.T, changes <-chan db.Change, want ...db.Change) {
	t.Helper()
	for _, w := range want {
		if diff := cmp.Diff(w, next(t, changes)); diff != "" {
			t.Fatalf("change (-want +got):\n%s", diff)
		}
	}
}

func addEvent(t testing.TB, s db.Store) db.Change {
	t.Helper()
	var e db.Event
	if err := s.AddEvent(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	return db.Change{Table: db.TableEvents, ID: e.ID, Kind: db.Created}
}

func testWatch(t *testing.T, url string) {
	s := open(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	changes := s.Watch(ctx)

	vm := reserve(t, s, "a")
	vmChange := func(kind string) db.Change { return db.Change{Table: db.TableVirtualMachines, ID: vm.ID, Kind: kind} }
	wantChanges(t, changes, db.Change{Table: db.TableUsers, ID: vm.UserID, Kind: db.Created}, vmChange(db.Created))

	// None of these makes a notice.
	ensureUser(t, s, "ada")
	if err := s.TouchVM(ctx, vm.ID, vm.CreatedAt); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TakeLease(ctx, "a", "b", 0); err != nil {
		t.Fatal(err)
	}
	_, err := s.UpdateVM(ctx, vm.ID, []db.Status{db.Failed}, nil)
	wantError(t, err, db.ErrConflict)
	taken := db.VirtualMachine{UserID: vm.UserID, Name: "a"}
	wantError(t, s.ReserveVM(ctx, &taken, plenty), db.ErrExists)

	if _, err := s.UpdateVM(ctx, vm.ID, nil, func(*db.VirtualMachine) error { return nil }); err != nil {
		t.Fatal(err)
	}
	wantChanges(t, changes, vmChange(db.Updated))
	e := begin(t, s, vm)
	finish(t, s, e)
	event := addEvent(t, s)
	if err := s.DeleteVM(ctx, vm.ID); err != nil {
		t.Fatal(err)
	}
	wantChanges(t, changes,
		db.Change{Table: db.TableExecutions, ID: e.ID, Kind: db.Created},
		db.Change{Table: db.TableExecutions, ID: e.ID, Kind: db.Updated},
		event, vmChange(db.Deleted))

	cancel()
	if c, ok := <-changes; ok {
		t.Errorf("got %+v after the end", c)
	}
	// Nobody watches now; the next one follows anew.
	addEvent(t, s)
	changes = s.Watch(t.Context())
	wantChanges(t, changes, addEvent(t, s))
}

// testWatchOthers looks through a second store, as another process would.
func testWatchOthers(t *testing.T, url string) {
	s, other := open(t, url), open(t, url)
	first, second := s.Watch(t.Context()), s.Watch(t.Context())
	for range 3 {
		for _, from := range []db.Store{s, other, other} {
			want := addEvent(t, from)
			wantChanges(t, first, want)
			wantChanges(t, second, want)
		}
	}
}

func testWatchSlow(t *testing.T, url string) {
	s := open(t, url)
	slow, fast := s.Watch(t.Context()), s.Watch(t.Context())
	const many = 600
	for range many {
		wantChanges(t, fast, addEvent(t, s)) // all watchers have been offered it now
	}
	received := 1
	for next(t, slow).Kind != db.Resync {
		received++
	}
	if received > many/2 {
		t.Errorf("the slow receiver got %d of %d changes: the backlog is not bounded", received, many)
	}
	wantChanges(t, slow, addEvent(t, s))
}

func testClose(t *testing.T, url string) {
	s := open(t, url)
	changes := s.Watch(t.Context())
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if c, ok := <-changes; ok {
		t.Errorf("got %+v after Close", c)
	}
	if c, ok := <-s.Watch(t.Context()); ok {
		t.Errorf("got %+v from a watch begun after Close", c)
	}
	_, err := s.VM(t.Context(), 1)
	wantError(t, err, db.ErrGone)
	wantError(t, s.AddEvent(t.Context(), &db.Event{}), db.ErrGone)
}

// A process that slept while others wrote and pruned sees a gap in the ids.
func TestSQLiteGap(t *testing.T) {
	file := dbtest.SQLite(t)
	s := open(t, file)
	changes := s.Watch(t.Context())
	if _, err := dbtest.SQL(t, file).Exec(
		"INSERT INTO changes (id, table_name, row_id, kind) VALUES (5000, 'events', 7, 'created')",
	); err != nil {
		t.Fatal(err)
	}
	wantChanges(t, changes, db.Change{Kind: db.Resync})
	wantChanges(t, changes, addEvent(t, s))
}

func TestSQLitePrune(t *testing.T) {
	file := dbtest.SQLite(t)
	s := open(t, file)
	const written = 1600
	for range written {
		addEvent(t, s)
	}
	var kept, newest int
	row := dbtest.SQL(t, file).QueryRow("SELECT count(*), max(id) FROM changes")
	if err := row.Scan(&kept, &newest); err != nil {
		t.Fatal(err)
	}
	if newest != written || kept < 1024 || kept > 1024+256 {
		t.Errorf("%d notices are kept, up to the %dth", kept, newest)
	}
}

func TestPostgresFeedInterrupted(t *testing.T) {
	database := dbtest.Postgres(t)
	direct := open(t, database)
	proxy := dbtest.NewProxy(t, database, nil)
	s := open(t, proxy.URL(url.Values{}))
	changes := s.Watch(t.Context())
	wantChanges(t, changes, addEvent(t, direct))

	proxy.Cut()
	addEvent(t, direct)
	late := s.Watch(t.Context()) // while it is interrupted
	proxy.Restore()
	wantChanges(t, changes, db.Change{Kind: db.Resync})
	wantChanges(t, late, db.Change{Kind: db.Resync})
	want := addEvent(t, direct)
	wantChanges(t, changes, want)
	wantChanges(t, late, want)
}

// A watch that begins while the database is away does not wait for it.
func TestPostgresFeedAway(t *testing.T) {
	database := dbtest.Postgres(t)
	proxy := dbtest.NewProxy(t, database, nil)
	s := open(t, proxy.URL(url.Values{}))
	proxy.Cut()
	changes := s.Watch(t.Context())
	proxy.Restore()
	wantChanges(t, changes, db.Change{Kind: db.Resync})
	wantChanges(t, changes, addEvent(t, s))
}

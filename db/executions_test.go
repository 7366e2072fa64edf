package db_test

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/db"
)

func begin(t testing.TB, s db.Store, vm db.VirtualMachine, change ...func(*db.Execution)) db.Execution {
	t.Helper()
	e := db.Execution{VMID: vm.ID, VMName: vm.Name, UserID: vm.UserID, Code: []byte("true")}
	for _, c := range change {
		c(&e)
	}
	if err := s.BeginExecution(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func finish(t testing.TB, s db.Store, e db.Execution) {
	t.Helper()
	e.Verdict = "exited"
	if err := s.FinishExecution(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
}

func ids(executions []db.Execution) []int64 {
	got := make([]int64, len(executions))
	for i, e := range executions {
		got[i] = e.ID
	}
	return got
}

// everyByte, more than once, and cut inside a character.
func everyByte() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return append(bytes.Repeat(all, 4096), "☃"[:2]...)
}

// equalBytes is much faster than cmp's way, byte by byte.
var equalBytes = cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) })

func testExecution(t *testing.T, url string) {
	s := open(t, url)
	vm := reserve(t, s, "a", func(vm *db.VirtualMachine) { vm.LastUsedAt = time.Unix(0, 0) })
	before := time.Now()
	e := begin(t, s, vm, func(e *db.Execution) {
		e.Code, e.Language, e.Session, e.Detached = everyByte(), "python", "main", true
		e.URI, e.StartLine, e.Owner = "file:///a%20b.py", 7, "me"
	})
	want := e
	want.Output, want.Error = []byte{}, []byte{}
	got, err := s.Execution(t.Context(), e.ID)
	if diff := cmp.Diff(want, got, equalBytes); err != nil || diff != "" {
		t.Fatalf("begun: %v (-want +got):\n%s", err, diff)
	}
	if got.Verdict != "running" {
		t.Errorf("got verdict %q", got.Verdict)
	}
	isTime(t, got.ExecutedAt, before, time.Now())
	touched := getVM(t, s, vm.ID)
	if !touched.LastUsedAt.Equal(e.ExecutedAt) || touched.Version != 1 {
		t.Errorf("the VM was last used at %v, version %d; want %v, 1", touched.LastUsedAt, touched.Version, e.ExecutedAt)
	}

	e.Verdict, e.Phase, e.Output, e.Error, e.OutputOmitted, e.ErrorOmitted = "signaled", "run", everyByte(), []byte{0}, 1<<40, 5
	e.Result, e.ExitCode, e.Signal, e.ExecutionTime, e.CPUTime, e.PeakMemoryMiB = "4\x002", 139, "SIGSEGV", 0.25, 1e-6, 12.5
	want = e
	want.Result = "4\uFFFD2"
	e.Owner, e.Code, e.VMID = "changed in memory", nil, 99
	if err := s.FinishExecution(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	got, err = s.Execution(t.Context(), e.ID)
	if err != nil {
		t.Fatal(err)
	}
	isTime(t, got.EndedAt, want.ExecutedAt, time.Now())
	want.EndedAt = got.EndedAt
	if diff := cmp.Diff(want, got, equalBytes); diff != "" {
		t.Errorf("finished (-want +got):\n%s", diff)
	}
}

func testExecutionStates(t *testing.T, url string) {
	s := open(t, url)
	ctx := t.Context()
	vm, stopped := reserve(t, s, "a"), reserve(t, s, "b", func(vm *db.VirtualMachine) { vm.Status = db.Stopped })
	e := begin(t, s, vm, func(e *db.Execution) { e.Owner = "me" })
	missing := db.Execution{ID: e.ID + 100, VMID: stopped.ID + 100, Verdict: "exited"}

	wantError(t, s.BeginExecution(ctx, &db.Execution{VMID: stopped.ID}), db.ErrConflict)
	unknown := missing
	wantError(t, s.BeginExecution(ctx, &unknown), db.ErrNotFound)
	if err := s.FinishExecution(ctx, &db.Execution{ID: e.ID, Verdict: "running"}); err == nil {
		t.Error("an execution was finished as running")
	}
	wantError(t, s.AdoptExecution(ctx, e.ID, "nobody", "you"), db.ErrConflict)
	if err := s.AdoptExecution(ctx, e.ID, "me", "you"); err != nil {
		t.Error(err)
	}
	if got, err := s.Execution(ctx, e.ID); err != nil || got.Owner != "you" {
		t.Errorf("adopted by %q (%v), want you", got.Owner, err)
	}
	finish(t, s, e)
	e.Verdict = "timeout"
	wantError(t, s.FinishExecution(ctx, &e), db.ErrConflict)
	wantError(t, s.AdoptExecution(ctx, e.ID, "you", "me"), db.ErrConflict)
	wantError(t, s.FinishExecution(ctx, &missing), db.ErrNotFound)
	wantError(t, s.AdoptExecution(ctx, missing.ID, "", ""), db.ErrNotFound)
	_, err := s.Execution(ctx, missing.ID)
	wantError(t, err, db.ErrNotFound)
	if got, err := s.Execution(ctx, e.ID); err != nil || got.Verdict != "exited" {
		t.Errorf("got verdict %q (%v), want the first", got.Verdict, err)
	}

	at := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	if err := s.TouchVM(ctx, vm.ID, at); err != nil {
		t.Error(err)
	}
	if got := getVM(t, s, vm.ID); !got.LastUsedAt.Equal(at) {
		t.Errorf("last used at %v, want %v", got.LastUsedAt, at)
	}
	wantError(t, s.TouchVM(ctx, missing.VMID, at), db.ErrNotFound)
}

func testExecutions(t *testing.T, url string) {
	s := open(t, url)
	ctx := t.Context()
	bob := ensureUser(t, s, "bob").ID
	a, b := reserve(t, s, "a"), reserve(t, s, "b", func(vm *db.VirtualMachine) { vm.UserID = bob })
	var all []int64
	for i, vm := range []db.VirtualMachine{a, b, a, a, b} {
		e := begin(t, s, vm)
		all = append(all, e.ID)
		if i%2 == 0 {
			finish(t, s, e)
		}
	}
	for _, c := range []struct {
		user, vm, before int64
		limit            int
		want             []int64
	}{
		{limit: 9, want: []int64{all[4], all[3], all[2], all[1], all[0]}},
		{limit: 2, want: []int64{all[4], all[3]}},
		{limit: 2, before: all[3], want: []int64{all[2], all[1]}},
		{limit: 9, vm: a.ID, want: []int64{all[3], all[2], all[0]}},
		{limit: 9, user: bob, want: []int64{all[4], all[1]}},
		{limit: 9, user: bob, vm: a.ID, want: []int64{}},
		{limit: 0, want: []int64{}},
	} {
		got, err := s.Executions(ctx, c.user, c.vm, c.before, c.limit)
		if diff := cmp.Diff(c.want, ids(got)); err != nil || diff != "" {
			t.Errorf("user %d, VM %d, before %d, limit %d: %v (-want +got):\n%s", c.user, c.vm, c.before, c.limit, err, diff)
		}
	}
	for vm, want := range map[int64][]int64{0: {all[1], all[3]}, a.ID: {all[3]}} {
		got, err := s.RunningExecutions(ctx, vm)
		if diff := cmp.Diff(want, ids(got)); err != nil || diff != "" {
			t.Errorf("running in VM %d: %v (-want +got):\n%s", vm, err, diff)
		}
	}
}

func testEvents(t *testing.T, url string) {
	s := open(t, url)
	ctx := t.Context()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var all []db.Event
	for i, severity := range []string{"info", "critical", "warning", "error"} {
		e := db.Event{
			Time: start.Add(time.Duration(i) * time.Second), Severity: severity, Type: "vm.created",
			UserID: int64(i % 2), User: "ada", VMID: int64(i), VMName: "a", Message: "it's\x00", Data: map[string]any{"n": 1.5},
		}
		if err := s.AddEvent(ctx, &e); err != nil {
			t.Fatal(err)
		}
		e.Message = "it's\uFFFD"
		all = append(all, e)
	}
	one, err := s.Event(ctx, all[2].ID)
	if diff := cmp.Diff(all[2], one); err != nil || diff != "" {
		t.Errorf("by id: %v (-want +got):\n%s", err, diff)
	}
	_, err = s.Event(ctx, all[3].ID+1)
	wantError(t, err, db.ErrNotFound)

	for _, c := range []struct {
		user, vm int64
		severity string
		since    time.Time
		limit    int
		want     string
	}{
		{limit: 9, want: "3210"},
		{limit: 1, want: "3"},
		{limit: 9, severity: "info", want: "3210"},
		{limit: 9, severity: "error", want: "31"},
		{limit: 9, severity: "critical", want: "1"},
		{limit: 9, severity: "unheard of", want: ""},
		{limit: 9, user: 1, want: "31"},
		{limit: 9, vm: 2, want: "2"},
		{limit: 9, since: start.Add(2 * time.Second), want: "32"},
		{limit: 9, since: start.Add(2*time.Second + time.Microsecond), want: "3"},
	} {
		events, err := s.Events(ctx, c.user, c.vm, c.severity, c.since, c.limit)
		var got string
		for _, e := range events {
			got += strconv.Itoa(int(e.Time.Sub(start).Seconds()))
		}
		if err != nil || got != c.want {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
	before := time.Now()
	now := db.Event{}
	if err := s.AddEvent(ctx, &now); err != nil {
		t.Fatal(err)
	}
	isTime(t, now.Time, before, time.Now())
}

func testLeases(t *testing.T, url string) {
	s := open(t, url)
	for i, c := range []struct {
		release     bool
		name, owner string
		ttl         time.Duration
		want        bool
	}{
		{name: "sweep", owner: "a", ttl: time.Hour, want: true},
		{name: "sweep", owner: "b", ttl: time.Hour, want: false},
		{name: "other", owner: "b", ttl: time.Hour, want: true},
		{release: true, name: "sweep", owner: "b"},
		{name: "sweep", owner: "b", ttl: time.Hour, want: false},
		{release: true, name: "sweep", owner: "a"},
		{name: "sweep", owner: "b", ttl: time.Hour, want: true},
		{name: "sweep", owner: "b", ttl: 0, want: true}, // renewed, and over at once
		{name: "sweep", owner: "a", ttl: time.Hour, want: true},
	} {
		if c.release {
			if err := s.ReleaseLease(t.Context(), c.name, c.owner); err != nil {
				t.Fatal(err)
			}
			continue
		}
		held, err := s.TakeLease(t.Context(), c.name, c.owner, c.ttl)
		if err != nil || held != c.want {
			t.Errorf("step %d: held %v, %v; want %v", i, held, err, c.want)
		}
	}
}

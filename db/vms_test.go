package db_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/db/dbtest"
	"github.com/itechsmart/vm/runtime"
)

func isError(err, want error) bool {
	var quota, wantQuota *db.QuotaError
	if errors.As(want, &wantQuota) {
		return errors.As(err, &quota) && *quota == *wantQuota
	}
	return errors.Is(err, want)
}

func testUsers(t *testing.T, url string) {
	s := open(t, url)
	ada, again, bob := ensureUser(t, s, "ada"), ensureUser(t, s, "ada"), ensureUser(t, s, "bob")
	if diff := cmp.Diff(ada, again); diff != "" {
		t.Errorf("the same user differs (-first +second):\n%s", diff)
	}
	if ada.ID == 0 || ada.ID == bob.ID || bob.Name != "bob" {
		t.Errorf("got %+v and %+v", ada, bob)
	}
}

// fullVM has every column set to something that is easily damaged.
func fullVM(userID int64) db.VirtualMachine {
	at := func(seconds int) time.Time {
		return time.Date(2026, 2, 28, 23, 59, seconds, 120_000_000, time.FixedZone("", 3600))
	}
	return db.VirtualMachine{
		UserID: userID, Name: `O'Brien "\'; --`, Status: db.Creating, Language: "python@3.12", Runtime: "docker",
		ContainerID: "c1", Image: "python:3.12", Template: "t", CPULimit: 0.1, MemoryLimit: 512, DiskLimit: 1 << 20,
		PidsLimit: 256, Timeout: 1e-3, IdleTimeout: 3600,
		Network:     runtime.Network{Mode: runtime.NetworkAllowlist, Allow: []string{"example.org"}},
		Isolation:   "runsc",
		IP:          "10.0.0.1",
		Enforcement: runtime.Enforcement{CPU: runtime.Hard, Memory: runtime.Watched, Disk: runtime.None},
		Env:         map[string]string{"A": `back\slash \u0000 'quote' "double" ?`, "ü": "\n\t☃", "EMPTY": ""},
		Labels:      map[string]string{},
		Scratch:     true, Error: "it's broken?",
		CreatedAt: at(1), StartedAt: at(2), StoppedAt: at(3), LastUsedAt: at(4), ExpiresAt: at(5),
		Owner: "host@boot/1/2", OwnedUntil: at(6).Add(1234567 * time.Nanosecond),
	}
}

func testRows(t *testing.T, url string) {
	s := open(t, url)
	vm := fullVM(ensureUser(t, s, "ada").ID)
	if err := s.ReserveVM(t.Context(), &vm, plenty); err != nil {
		t.Fatal(err)
	}
	if vm.ID == 0 || vm.Version != 1 || vm.UserName != "ada" {
		t.Errorf("reserved with id %d, version %d, user %q", vm.ID, vm.Version, vm.UserName)
	}
	want := fullVM(vm.UserID)
	want.ID, want.Version, want.UserName = vm.ID, 1, "ada"
	for _, at := range []*time.Time{
		&want.CreatedAt, &want.StartedAt, &want.StoppedAt, &want.LastUsedAt, &want.ExpiresAt, &want.OwnedUntil,
	} {
		*at = at.UTC().Truncate(time.Microsecond)
	}
	// Compared with their zones: what is read must print as UTC.
	sameTime := cmp.Comparer(func(a, b time.Time) bool { return a.String() == b.String() })
	if diff := cmp.Diff(want, getVM(t, s, vm.ID), sameTime); diff != "" {
		t.Errorf("by id (-want +got):\n%s", diff)
	}
	named, err := s.VMByName(t.Context(), vm.UserID, vm.Name)
	if diff := cmp.Diff(want, named, sameTime); err != nil || diff != "" {
		t.Errorf("by name: %v (-want +got):\n%s", err, diff)
	}
	_, err = s.VMByName(t.Context(), vm.UserID+1, vm.Name)
	wantError(t, err, db.ErrNotFound)
	_, err = s.VM(t.Context(), vm.ID+1)
	wantError(t, err, db.ErrNotFound)
}

func testText(t *testing.T, url string) {
	s := open(t, url)
	before := time.Now()
	vm := reserve(t, s, "nul\x00 and \xff", func(vm *db.VirtualMachine) { vm.Env = map[string]string{"A": "\x00\xff"} })
	got := getVM(t, s, vm.ID)
	if got.Name != "nul\uFFFD and \uFFFD" {
		t.Errorf("got name %q", got.Name)
	}
	if want := map[string]string{"A": "\x00\uFFFD"}; !cmp.Equal(want, got.Env) {
		t.Errorf("got environment %q, want %q", got.Env, want)
	}
	// Missing times are filled in where there must be one.
	isTime(t, got.CreatedAt, before, time.Now())
	isTime(t, got.LastUsedAt, before, time.Now())
	if !got.StartedAt.IsZero() || !got.ExpiresAt.IsZero() {
		t.Errorf("times that were zero: %v, %v", got.StartedAt, got.ExpiresAt)
	}
}

func testFilter(t *testing.T, url string) {
	s := open(t, url)
	bob := ensureUser(t, s, "bob")
	reserve(t, s, "a", func(vm *db.VirtualMachine) { vm.Language, vm.Labels = "python@3.12", map[string]string{"team": "red"} })
	reserve(t, s, "b", func(vm *db.VirtualMachine) { vm.Language, vm.Labels = "python", map[string]string{"team": "a=b"} })
	reserve(t, s, "c", func(vm *db.VirtualMachine) { vm.Language, vm.Status = "pythonic", db.Stopped })
	reserve(t, s, "d", func(vm *db.VirtualMachine) { vm.UserID, vm.Scratch, vm.Status = bob.ID, true, db.Failed })
	yes, no := true, false
	for name, c := range map[string]struct {
		filter db.VMFilter
		want   string
	}{
		"none":             {db.VMFilter{}, "abcd"},
		"user":             {db.VMFilter{UserID: bob.ID}, "d"},
		"status":           {db.VMFilter{Status: []db.Status{db.Stopped, db.Failed}}, "cd"},
		"language":         {db.VMFilter{Language: "python"}, "ab"},
		"language version": {db.VMFilter{Language: "python@3.12"}, "a"},
		"label":            {db.VMFilter{Label: "team"}, "ab"},
		"label value":      {db.VMFilter{Label: "team=a=b"}, "b"},
		"label other":      {db.VMFilter{Label: "team="}, ""},
		"scratch":          {db.VMFilter{Scratch: &yes}, "d"},
		"no scratch":       {db.VMFilter{Scratch: &no, UserID: bob.ID}, ""},
	} {
		vms, err := s.VMs(t.Context(), c.filter)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for _, vm := range vms {
			got += vm.Name
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func testQuota(t *testing.T, url string) {
	s := open(t, url)
	quota := db.Quota{PerUser: 2, Total: 3}
	ada, bob := ensureUser(t, s, "ada").ID, ensureUser(t, s, "bob").ID
	for i, c := range []struct {
		user   int64
		status db.Status
		quota  db.Quota
		want   error
	}{
		{user: ada, quota: db.Quota{}, want: &db.QuotaError{Scope: "user"}},
		{user: ada, status: db.Creating, quota: quota},
		{user: ada, status: db.Deleting, quota: quota},
		{user: ada, quota: quota, want: &db.QuotaError{Scope: "user", Limit: 2}},
		{user: bob, status: db.Failed, quota: quota},
		{user: bob, quota: quota, want: &db.QuotaError{Scope: "total", Limit: 3}},
		{user: bob + 1, quota: plenty, want: db.ErrNotFound},
	} {
		vm := db.VirtualMachine{UserID: c.user, Name: strconv.Itoa(i), Status: c.status, Scratch: i%2 == 0}
		if err := s.ReserveVM(t.Context(), &vm, c.quota); !isError(err, c.want) {
			t.Errorf("reservation %d: got %v, want %v", i, err, c.want)
		}
	}
	again := db.VirtualMachine{UserID: ada, Name: "1"}
	wantError(t, s.ReserveVM(t.Context(), &again, plenty), db.ErrExists)
	others := db.VirtualMachine{UserID: bob, Name: "1"}
	if err := s.ReserveVM(t.Context(), &others, plenty); err != nil {
		t.Errorf("another user's VM of the same name: %v", err)
	}
}

func testUpdate(t *testing.T, url string) {
	s := open(t, url)
	vm := reserve(t, s, "a")
	at := time.Now().UTC().Truncate(time.Microsecond)
	updated, err := s.UpdateVM(t.Context(), vm.ID, []db.Status{db.Stopped, db.Running}, func(vm *db.VirtualMachine) error {
		vm.Status, vm.ContainerID, vm.StoppedAt = db.Stopping, "c2", at
		vm.Labels = map[string]string{"a": "b"}
		vm.ID, vm.UserID, vm.UserName, vm.CreatedAt, vm.Version = 77, 77, "eve", time.Time{}, 77
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := getVM(t, s, vm.ID)
	if diff := cmp.Diff(want, updated); diff != "" {
		t.Errorf("returned and stored differ (-stored +returned):\n%s", diff)
	}
	vm.Status, vm.ContainerID, vm.StoppedAt, vm.Labels, vm.Version = db.Stopping, "c2", at, map[string]string{"a": "b"}, 2
	if diff := cmp.Diff(vm, want); diff != "" {
		t.Errorf("after the update (-want +got):\n%s", diff)
	}
}

func testUpdateRefused(t *testing.T, url string) {
	s := open(t, url)
	vm := reserve(t, s, "a")
	rename := func(vm *db.VirtualMachine) error { vm.Name = "b"; return nil }

	got, err := s.UpdateVM(t.Context(), vm.ID, []db.Status{db.Stopped}, rename)
	wantError(t, err, db.ErrConflict)
	if diff := cmp.Diff(getVM(t, s, vm.ID), got); diff != "" {
		t.Errorf("the row that came with the conflict (-want +got):\n%s", diff)
	}

	own := errors.New("SELECT this error")
	got, err = s.UpdateVM(t.Context(), vm.ID, nil, func(vm *db.VirtualMachine) error { vm.Name = "b"; return own })
	if err != own { //nolint:errorlint // the very same
		t.Errorf("got error %v, want that of change", err)
	}
	if stored := getVM(t, s, vm.ID); got.Name != "a" || stored.Name != "a" || stored.Version != 1 {
		t.Errorf("an update that was refused has changed %+v", stored)
	}

	_, err = s.UpdateVM(t.Context(), vm.ID+1, nil, rename)
	wantError(t, err, db.ErrNotFound)

	reserve(t, s, "b")
	_, err = s.UpdateVM(t.Context(), vm.ID, nil, rename)
	wantError(t, err, db.ErrExists)
}

func testDelete(t *testing.T, url string) {
	s := open(t, url)
	vm, other := reserve(t, s, "a"), reserve(t, s, "b")
	e := db.Execution{VMID: vm.ID, VMName: "a"}
	if err := s.BeginExecution(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	beside := dbtest.SQL(t, url)
	for _, id := range []int64{vm.ID, other.ID} {
		if _, err := beside.Exec("INSERT INTO vm_snapshots (vm_id, name, comment, kind, parent, reference, size_bytes, created_at)" +
			" VALUES (" + strconv.FormatInt(id, 10) + ", '', '', '', 0, '', 0, '2026-01-01 00:00:00+00:00')"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteVM(t.Context(), vm.ID); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.DeleteVM(t.Context(), vm.ID), db.ErrNotFound)
	if _, err := s.Execution(t.Context(), e.ID); err != nil {
		t.Errorf("the execution has gone with its VM: %v", err)
	}
	var left int64
	if err := beside.QueryRow("SELECT sum(vm_id) FROM vm_snapshots").Scan(&left); err != nil || left != other.ID {
		t.Errorf("snapshots left are of VM %d (%v), want only VM %d", left, err, other.ID)
	}
	if err := s.DeleteVM(t.Context(), other.ID); err != nil {
		t.Fatal(err)
	}
	if again := reserve(t, s, "b"); again.ID <= other.ID {
		t.Errorf("the id %d of a deleted VM was given to another", again.ID)
	}
}

func testCount(t *testing.T, url string) {
	s := open(t, url)
	bob := ensureUser(t, s, "bob").ID
	reserve(t, s, "a")
	reserve(t, s, "b")
	reserve(t, s, "c", func(vm *db.VirtualMachine) { vm.Status = db.Deleting })
	reserve(t, s, "d", func(vm *db.VirtualMachine) { vm.UserID = bob })
	for user, want := range map[int64]map[db.Status]int{
		0:       {db.Running: 3, db.Deleting: 1},
		bob:     {db.Running: 1},
		bob + 9: {},
	} {
		got, err := s.CountVMs(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("user %d (-want +got):\n%s", user, diff)
		}
	}
}

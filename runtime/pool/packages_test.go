package pool_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/pool"
)

// shop is a rig whose VMs may get packages from an index of the test's.
type shop struct {
	*rig
	index   string // its address
	network runtime.Network
	served  map[string]string
	asked   atomic.Int64 // requests for packages
}

// newShop makes an index that has a package for every key of served.
func newShop(t *testing.T, served map[string]string) *shop {
	t.Helper()
	s := &shop{rig: newRig(t), served: served}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		text, found := served[strings.TrimPrefix(r.URL.Path, "/simple/")]
		if !found {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	s.index = "http://index.example" + port + "/simple"
	s.network = runtime.Network{Mode: runtime.NetworkAllowlist, Allow: []string{"index.example" + port, "127.0.0.1" + port}}
	s.open(t, pool.PackageSources{Indexes: lang.Indexes{"pip": s.index, "cargo": "https://closed.example"}})
	return s
}

// open has the rig go on with a pool of other sources.
func (s *shop) open(t *testing.T, sources pool.PackageSources) {
	t.Helper()
	languages, err := lang.New(map[string]lang.Override{fake.LanguageID: fake.Language})
	if err != nil {
		t.Fatal(err)
	}
	s.pool = pool.New(pool.Options{
		Store: s.store, Drivers: []runtime.Driver{s.driver}, Languages: languages, Packages: sources,
		Quota: pool.StandardQuota(), Defaults: pool.StandardDefaults(), Log: slog.New(slog.DiscardHandler),
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
	})
	t.Cleanup(s.pool.Close)
	if s.Tenant, err = s.pool.For(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) vm(t *testing.T, name string) db.VirtualMachine {
	t.Helper()
	vm, err := s.Create(t.Context(), pool.CreateRequest{Name: name, Language: fake.LanguageID, Network: &s.network}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// Packages come into one VM alone, are streamed and in the history like an
// execution, kept by snapshots and undone.
func TestInstallPackages(t *testing.T) {
	s := newShop(t, map[string]string{"greeting": "hello"})
	one, other := s.vm(t, "one"), s.vm(t, "other")
	var streamed strings.Builder
	var told []db.Execution
	e, err := s.InstallPackages(t.Context(), one, pool.InstallRequest{Packages: []string{"greeting"}}, pool.Observer{
		Started: func(e db.Execution) { told = append(told, e) },
		Output:  func(_ agent.Stream, p []byte) { streamed.Write(p) },
	})
	if err != nil || e.ExitCode != 0 || string(e.Output) != "installed greeting\n" || streamed.String() != string(e.Output) {
		t.Fatalf("%+v, %v, streamed %q", e, err, streamed.String())
	}
	if len(told) != 1 || told[0].ID != e.ID || string(e.Code) != "pip install greeting" || e.Language != fake.LanguageID || e.Checkpoint == 0 {
		t.Errorf("told of %d; %+v", len(told), e)
	}
	if history, err := s.Executions(t.Context(), one.ID, 0, 10); err != nil || len(history) != 1 || history[0].ID != e.ID {
		t.Errorf("%+v, %v", history, err)
	}
	const use = "show packages/greeting"
	if e := s.run(t, one, use); string(e.Output) != "hello" {
		t.Errorf("%q %q", e.Output, e.Error)
	}
	if e := s.run(t, other, use); e.ExitCode == 0 {
		t.Errorf("it is in another VM: %q", e.Output)
	}
	snapshot, err := s.Snapshot(t.Context(), one, "with", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the execution, and what it was for
		if one, err = s.Undo(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	if e := s.run(t, one, use); e.ExitCode == 0 {
		t.Errorf("it was undone and is there: %q", e.Output)
	}
	if one, err = s.Restore(t.Context(), one, snapshot); err != nil {
		t.Fatal(err)
	}
	if e := s.run(t, one, use); string(e.Output) != "hello" {
		t.Errorf("the snapshot does not have it: %q %q", e.Output, e.Error)
	}
}

// A package that the index does not have is the manager's failure, not an error.
func TestInstallAbsentPackage(t *testing.T) {
	s := newShop(t, nil)
	e, err := s.InstallPackages(t.Context(), s.vm(t, "one"), pool.InstallRequest{Packages: []string{"greeting"}}, pool.Observer{})
	if err != nil || e.ExitCode == 0 || !strings.Contains(string(e.Error), "greeting: 404") {
		t.Errorf("%d %q, %v", e.ExitCode, e.Error, err)
	}
}

// What cannot be is refused before anything is run.
func TestInstallRefusals(t *testing.T) {
	s := newShop(t, map[string]string{"greeting": "hello"})
	closed, err := s.Create(t.Context(), pool.CreateRequest{Name: "closed", Language: fake.LanguageID}, nil)
	if err != nil {
		t.Fatal(err)
	}
	open := s.vm(t, "open")
	for _, test := range []struct {
		vm         db.VirtualMachine
		request    pool.InstallRequest
		kind       error
		field      string
		want, hint string
	}{
		{closed, pool.InstallRequest{Packages: []string{"greeting"}}, pool.ErrState, "packages", "has no network", "--allow index.example:"},
		{closed, pool.InstallRequest{Packages: []string{"curl"}, Language: lang.System}, pool.ErrState, "packages", "has no network", "--network full"},
		{open, pool.InstallRequest{Packages: []string{"serde"}, Language: "rust"}, pool.ErrState, "packages", "may not reach closed.example", "--allow closed.example"},
		{open, pool.InstallRequest{Packages: []string{"org.example:a:1"}, Language: "java"}, pool.ErrState, "packages", "no index is known for packages of maven", "packages.indexes.maven"},
		{open, pool.InstallRequest{Packages: []string{"a", "b|c"}}, pool.ErrInvalid, "packages", `contains '|'`, ""},
		{open, pool.InstallRequest{}, pool.ErrInvalid, "packages", "0 packages", ""},
		{open, pool.InstallRequest{Packages: make([]string, 101)}, pool.ErrInvalid, "packages", "101 packages", ""},
		{open, pool.InstallRequest{Packages: []string{"a"}, Language: "sql"}, pool.ErrInvalid, "language", "no package manager", "python"},
	} {
		_, err := s.InstallPackages(t.Context(), test.vm, test.request, pool.Observer{})
		var refused *pool.Error
		if !errors.As(err, &refused) || !errors.Is(err, test.kind) || refused.Field != test.field ||
			!strings.Contains(refused.Message, test.want) || !strings.Contains(refused.Hint, test.hint) {
			t.Errorf("%+.60v: %v", test.request, err)
		}
	}
	if history, err := s.Executions(t.Context(), 0, 0, 10); err != nil || len(history) != 0 {
		t.Errorf("%d were run, %v", len(history), err)
	}
}

// An index in the VM's own files needs no network.
func TestIndexInTheVM(t *testing.T) {
	s := newShop(t, nil)
	s.open(t, pool.PackageSources{Indexes: lang.Indexes{"pip": "file:///srv/index"}})
	vm, err := s.Create(t.Context(), pool.CreateRequest{Name: "closed", Language: fake.LanguageID}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.InstallPackages(t.Context(), vm, pool.InstallRequest{Packages: []string{"greeting"}}, pool.Observer{})
	if err != nil || e.Verdict != string(agent.Exited) {
		t.Errorf("%+v, %v", e, err)
	}
}

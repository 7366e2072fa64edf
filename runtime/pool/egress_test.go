package pool_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/pool"
)

// A VM reaches what its list says through whichever process has its connection,
// and what it is refused is told, but not as often as it asks.
func TestAllowlist(t *testing.T) {
	r := newRig(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprint(w, "hello from ", req.URL.Path)
	}))
	defer server.Close()
	vm, err := r.Create(t.Context(), pool.CreateRequest{Name: "web", Language: fake.LanguageID, Network: &runtime.Network{
		Mode: runtime.NetworkAllowlist, Allow: []string{strings.TrimPrefix(server.URL, "http://")},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if vm.Enforcement.Network != runtime.Hard {
		t.Errorf("the network is enforced %s", vm.Enforcement.Network)
	}
	if e := r.run(t, vm, "fetch "+server.URL+"/a"); string(e.Output) != "200: hello from /a\n" {
		t.Errorf("%s %q %q", e.Verdict, e.Output, e.Error)
	}
	e := r.run(t, vm, "fetch http://one.example/\nfetch http://one.example/\nfetch http://two.example:81/")
	if got := strings.Count(string(e.Output), "403: "); got != 3 || !strings.Contains(string(e.Output), `list "two.example:81"`) {
		t.Errorf("%s %q %q", e.Verdict, e.Output, e.Error)
	}
	events, err := r.Events(t.Context(), vm.ID, "warning", time.Time{}, 10)
	if err != nil || len(events) != 2 {
		t.Fatalf("%+v, %v", events, err)
	}
	two := events[0]
	if two.Type != "network.refused" || two.VMName != "web" || !strings.Contains(two.Message, `list "two.example:81"`) ||
		fmt.Sprint(two.Data) != "map[host:two.example port:81 untold:1]" {
		t.Errorf("%+v", two)
	}

	t.Run("another process", func(t *testing.T) {
		other := newPool(t, r.store, r.driver)
		defer other.Close()
		tenant, err := other.For(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		e, err := tenant.Execute(t.Context(), vm, pool.RunRequest{Code: []byte("fetch " + server.URL + "/b")}, pool.Observer{})
		if err != nil || string(e.Output) != "200: hello from /b\n" {
			t.Errorf("%s %q %q, %v", e.Verdict, e.Output, e.Error, err)
		}
	})
}

func TestNoAllowlistNoProxy(t *testing.T) {
	r := newRig(t)
	e := r.run(t, r.create(t, "web"), "fetch http://example.com/")
	if e.ExitCode == 0 || !strings.Contains(string(e.Error), "unreachable") {
		t.Errorf("%s %q %q", e.Verdict, e.Output, e.Error)
	}
}

func TestWrongAllowlists(t *testing.T) {
	r := newRig(t)
	for _, test := range []struct {
		network runtime.Network
		field   string
		want    string
	}{
		{runtime.Network{Mode: "some"}, "network.mode", "none, allowlist or full"},
		{runtime.Network{Mode: runtime.NetworkAllowlist}, "network.allow", "at least one domain"},
		{runtime.Network{Mode: runtime.NetworkNone, Allow: []string{"a.example"}}, "network.allow", "goes with"},
		{runtime.Network{Mode: runtime.NetworkAllowlist, Allow: []string{"https://a.example/x"}}, "network.allow", `"https://a.example/x" cannot be allowed`},
		{runtime.Network{Mode: runtime.NetworkAllowlist, Allow: []string{"*"}}, "network.allow", "network mode full"},
		{runtime.Network{Mode: runtime.NetworkAllowlist, Allow: make([]string, 1000)}, "network.allow", "too long"},
	} {
		_, err := r.Create(t.Context(), pool.CreateRequest{Name: "web", Language: fake.LanguageID, Network: &test.network}, nil)
		var wrong *pool.Error
		if !errors.As(err, &wrong) || !errors.Is(err, pool.ErrInvalid) || wrong.Field != test.field || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.80v: %v", test.network, err)
		}
	}
	if vms, err := r.List(t.Context(), db.VMFilter{}, false); err != nil || len(vms) != 0 {
		t.Errorf("%d VMs are left, %v", len(vms), err)
	}
}

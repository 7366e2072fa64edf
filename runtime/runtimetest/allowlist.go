package runtimetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/egress"
	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

// testAllowlist reaches what is listed, and nothing else in any way.
func testAllowlist(t *testing.T, s *suite) {
	if !slices.Contains(s.features.Networks, runtime.NetworkAllowlist) {
		t.Skipf("%s has no network mode allowlist here: %+v", s.driver.Name(), s.features.Notes)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.Host)
	}))
	defer server.Close()
	at := ":" + strings.TrimPrefix(server.URL, "http://127.0.0.1:")

	spec := s.spec()
	spec.Network = runtime.Network{
		Mode:  runtime.NetworkAllowlist,
		Allow: []string{"listed.example" + at, "rebound.example" + at, "127.0.0.1" + at},
	}
	m := s.fresh(t, spec)
	if s.features.Enforcement.Network == runtime.Hard && m.made.Enforcement.Network != runtime.Hard {
		t.Errorf("the network is enforced %s", m.made.Enforcement.Network)
	}
	m.isolated(t)
	t.Run("reached", func(t *testing.T) {
		m.reaches(t, m.client, at)
	})
	t.Run("after a restart", func(t *testing.T) {
		if err := s.driver.Stop(t.Context(), spec.Ref, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.driver.Start(t.Context(), spec.Ref); err != nil {
			t.Fatal(err)
		}
		client, err := s.open(t.Context(), spec.Ref)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		m.reaches(t, client, at)
	})
}

// reaches fetches what is listed, at a port of this host's loopback, and what is
// not, through a client that goes out by the machine's list.
func (m *machine) reaches(t *testing.T, client *agent.Client, at string) {
	t.Helper()
	policy, err := egress.Parse(m.spec.Network.Allow)
	if err != nil {
		t.Fatal(err)
	}
	dialer := egress.Dialer{Policy: policy, Lookup: rebinding()}
	err = client.OfferDial(func(ctx context.Context, host string, port int) (net.Conn, error) {
		conn, err := dialer.Dial(ctx, host, port)
		if errors.Is(err, egress.ErrRefused) {
			err = &agent.DialError{Reason: err.Error(), Refused: true}
		}
		return conn, err
	})
	if err != nil {
		t.Fatal(err)
	}
	wants := []struct{ address, status, body string }{
		{"http://listed.example" + at + "/", "200 ", "hello listed.example" + at},
		{"http://127.0.0.1" + at + "/", "200 ", "hello 127.0.0.1" + at},
		{"http://rebound.example" + at + "/first", "200 ", "hello rebound.example" + at},
		{"http://rebound.example" + at + "/second", "403 ", "is 127.0.0.2"},
		{"http://other.example" + at + "/", "403 ", `list "other.example` + at + `"`},
		{"http://listed.example/", "403 ", `list "listed.example"`},
		{"http://127.0.0.2" + at + "/", "403 ", `list "127.0.0.2` + at + `"`},
		{"http://169.254.169.254/", "403 ", `list "169.254.169.254"`},
	}
	run := m.program("fetch")
	for _, want := range wants {
		run.Command = append(run.Command, want.address)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	result, err := client.Run(ctx, run, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]report.Fetched
	decodeResult(t, result, &got)
	for _, want := range wants {
		f := got[want.address]
		if !strings.HasPrefix(f.Status, want.status) || !strings.Contains(f.Body, want.body) || f.Error != "" {
			t.Errorf("%s: %+v", want.address, f)
		}
	}
}

// rebinding is a name server that gives an address of the host's loopback, and
// for one name another at the second question.
func rebinding() func(context.Context, string) ([]netip.Addr, error) {
	var asked atomic.Int32
	return func(_ context.Context, name string) ([]netip.Addr, error) {
		answer := "127.0.0.1"
		if name == "rebound.example" && asked.Add(1) > 1 {
			answer = "127.0.0.2"
		}
		return []netip.Addr{netip.MustParseAddr(answer)}, nil
	}
}

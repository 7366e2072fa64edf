package runtimetest

import (
	"context"
	"net"
	"slices"
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

// metadataService is where most clouds have theirs. It is never reached: what
// goes there is refused before it leaves this host.
const metadataService = "169.254.169.254:80"

// testFullNetwork reaches a host beyond this one, and neither this one nor a
// neighbour.
func testFullNetwork(t *testing.T, s *suite) {
	if !slices.Contains(s.features.Networks, runtime.NetworkFull) {
		t.Skipf("%s has no network mode full here: %+v", s.driver.Name(), s.features.Notes)
	}
	remote := newRemote(t)
	first, second := s.connected(t), s.connected(t)
	if first.made.IP == second.made.IP {
		t.Errorf("two machines have the address %s", first.made.IP)
	}
	if s.features.Enforcement.Network == runtime.Hard && first.made.Enforcement.Network != runtime.Hard {
		t.Errorf("the network is enforced %s", first.made.Enforcement.Network)
	}
	const port = "8099"
	at := net.JoinHostPort(second.made.IP, port)
	ended := second.during(t, second.program("say", ":"+port, "a machine"), func(ctx context.Context, id string) {
		first.bounded(t, first.client, remote, at)
		// It is there for who may reach it: this very host.
		if said, err := remote.home.Ask(at); err != nil || said != "a machine" {
			t.Errorf("this host heard %q from %s: %v", said, at, err)
		}
		if said, err := remote.host.Ask(at); err == nil {
			t.Errorf("a remote host reached %s, which said %q", at, said)
		}
		if err := second.client.Kill(ctx, id, agent.Cancelled); err != nil {
			t.Error(err)
		}
	})
	if ended.Verdict == agent.Exited {
		t.Errorf("the neighbour's program ended by itself: %s", describe(ended))
	}
	t.Run("after a restart", func(t *testing.T) {
		if err := s.driver.Stop(t.Context(), first.spec.Ref, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.driver.Start(t.Context(), first.spec.Ref); err != nil {
			t.Fatal(err)
		}
		client, err := s.open(t.Context(), first.spec.Ref)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		first.bounded(t, client, remote, at)
	})
}

// connected makes a machine with a network.
func (s *suite) connected(t *testing.T) *machine {
	t.Helper()
	spec := s.spec()
	spec.Network = runtime.Network{Mode: runtime.NetworkFull}
	m := s.fresh(t, spec)
	if net.ParseIP(m.made.IP) == nil {
		t.Errorf("the machine's address is %q", m.made.IP)
	}
	return m
}

// bounded reaches the remote host, and nothing that it should not.
func (m *machine) bounded(t *testing.T, client *agent.Client, remote remote, neighbour string) {
	t.Helper()
	closed := append(listenEverywhere(t), neighbour, metadataService)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	run := m.program(append([]string{"reach", remote.address}, closed...)...)
	result, err := client.Run(ctx, run, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]report.Reached
	decodeResult(t, result, &got)
	if far := got[remote.address]; far.Error != "" || far.Said != remote.sees {
		t.Errorf("the remote host at %s saw %q, want %q: %s", remote.address, far.Said, remote.sees, far.Error)
	}
	for _, address := range closed {
		if r := got[address]; r.Error == "" {
			t.Errorf("%s was reached and said %q", address, r.Said)
		}
	}
}

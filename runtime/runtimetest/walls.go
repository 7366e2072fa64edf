package runtimetest

import (
	"net"
	"strconv"
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

// testNoNetwork looks for a way out.
func testNoNetwork(t *testing.T, s *suite) {
	m := s.shared(t)
	if m.made.Enforcement.Network == runtime.None {
		t.Skipf("%s cannot take the network away here: %+v", s.driver.Name(), s.features.Notes)
	}
	m.isolated(t)
}

// isolated fails the test when there is a way out of the machine for whoever
// does not use its proxy, to this very host first of all.
func (m *machine) isolated(t *testing.T) {
	t.Helper()
	addresses := listenEverywhere(t)
	var got report.Network
	m.report(t, &got, append([]string{"network"}, addresses...)...)
	if len(got.Interfaces) != 0 || got.Routes != 0 {
		t.Errorf("interfaces %q, %d routes", got.Interfaces, got.Routes)
	}
	if got.Lookup == "" {
		t.Error("names are resolved")
	}
	for _, address := range addresses {
		if got.Dial[address] == "" {
			t.Errorf("the host was reached at %s", address)
		}
	}
}

// listenEverywhere opens a port on all of the host's addresses and returns them.
func listenEverywhere(t *testing.T) []string {
	t.Helper()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	networks, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for _, n := range networks {
		if ip, ok := n.(*net.IPNet); ok && !ip.IP.IsLinkLocalUnicast() {
			addresses = append(addresses, net.JoinHostPort(ip.IP.String(), port))
		}
	}
	return addresses
}

func testNoPrivileges(t *testing.T, s *suite) {
	var got report.Privileges
	s.shared(t).report(t, &got, "privileges")
	if got.UID == 0 || got.Capabilities != "0" || !got.NoNewPrivs {
		t.Errorf("user code has %+v", got)
	}
	if len(got.Worked) != 0 {
		t.Errorf("user code may %q", got.Worked)
	}
	t.Logf("%+v", got)
}

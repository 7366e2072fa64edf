//go:build linux

package fence

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/netlink"
	"github.com/itechsmart/vm/runtime/agent/netlink/netlinktest"
)

// Addresses of the little world that the tests are in.
const (
	machineAt  = "198.19.0.1"
	neighbour  = "198.19.0.3"
	hostInside = "198.19.0.0"
	hostAt     = "198.51.100.1"
	remoteAt   = "198.51.100.2"
	metadata   = "169.254.169.254" // the remote host has it too
)

// world is a host with two machines behind it and a remote host before it.
type world struct{ host, machine, neighbour, remote *netlinktest.Host }

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{netlinktest.New(t), netlinktest.New(t), netlinktest.New(t), netlinktest.New(t)}
	w.host.Set("ipv4/ip_forward", "1")
	w.host.Cable("itvm0", w.machine, "eth0")
	w.host.Up("itvm0", hostInside+"/31")
	w.machine.Up("eth0", machineAt+"/31")
	w.machine.Default("eth0", hostInside)
	w.host.Cable("itvm1", w.neighbour, "eth0")
	w.host.Up("itvm1", "198.19.0.2/31")
	w.neighbour.Up("eth0", neighbour+"/31")
	w.neighbour.Default("eth0", "198.19.0.2")
	w.host.Cable("up0", w.remote, "eth0")
	w.host.Up("up0", hostAt+"/30", "169.254.1.1/16")
	w.remote.Up("eth0", remoteAt+"/30", metadata+"/16")
	w.remote.Default("eth0", hostAt)
	w.host.Default("up0", remoteAt)
	w.remote.Greet(remoteAt + ":80")
	w.remote.Greet(metadata + ":80")
	w.remote.Greet(metadata + ":53")
	w.host.Greet("0.0.0.0:80")
	w.machine.Greet(machineAt + ":80")
	w.neighbour.Greet(neighbour + ":80")
	return w
}

func (w world) rules() Rules {
	return Rules{Name: "test", Device: "itvm0", Source: netip.MustParseAddr(machineAt)}
}

// answered fails the test unless an address answers and sees what is wanted.
func answered(t *testing.T, from *netlinktest.Host, address, sees string) {
	t.Helper()
	if said, err := from.Ask(address); err != nil || said != sees {
		t.Errorf("%s saw %q, want %q: %v", address, said, sees, err)
	}
}

// refused fails the test unless a connection is refused at once.
func refused(t *testing.T, from *netlinktest.Host, address string) {
	t.Helper()
	if said, err := from.Ask(address); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("%s said %q: %v", address, said, err)
	}
}

func TestFence(t *testing.T) {
	w := newWorld(t)
	// All of it is within reach without a fence, but that nothing knows a way back
	// to a machine from beyond the host.
	for _, address := range []string{hostInside, hostAt, neighbour} {
		answered(t, w.machine, address+":80", machineAt)
	}
	answered(t, w.host, metadata+":80", "169.254.1.1")

	w.host.Must("raise", func() error { return Raise(w.rules()) })
	answered(t, w.machine, remoteAt+":80", hostAt)
	for _, address := range []string{hostInside + ":80", hostAt + ":80", neighbour + ":80", metadata + ":80", metadata + ":53"} {
		refused(t, w.machine, address)
	}
	answered(t, w.host, machineAt+":80", hostInside)
	answered(t, w.host, metadata+":80", "169.254.1.1")
	refused(t, w.machine, "169.254.7.7:80")
	refused(t, w.machine, "168.63.129.16:80")

	w.host.Must("lower", func() error { return Lower("test") })
	w.host.Must("lower again", func() error { return Lower("test") })
	answered(t, w.machine, hostAt+":80", machineAt)
}

// Nobody begins a connection to a machine from beyond the host.
func TestFenceFromOutside(t *testing.T) {
	w := newWorld(t)
	answered(t, w.remote, machineAt+":80", remoteAt)
	w.host.Must("raise", func() error { return Raise(w.rules()) })
	refused(t, w.remote, machineAt+":80")
}

// A machine that took another address than its own would not be told apart.
func TestFenceSource(t *testing.T) {
	w := newWorld(t)
	other := netip.MustParseAddr("198.19.9.9")
	w.host.Up("itvm0", "198.19.9.8/31")
	w.machine.Up("eth0", other.String()+"/31")
	if said, err := w.machine.AskFrom(other, remoteAt+":80"); err != nil || said != other.String() {
		t.Fatalf("without a fence: %q, %v", said, err)
	}
	w.host.Must("raise", func() error { return Raise(w.rules()) })
	if said, err := w.machine.AskFrom(other, remoteAt+":80"); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("said %q: %v", said, err)
	}
	answered(t, w.machine, remoteAt+":80", hostAt)
}

func TestFenceResolvers(t *testing.T) {
	w := newWorld(t)
	w.host.Greet(hostAt + ":53")
	rules := w.rules()
	rules.Resolvers = []netip.Addr{netip.MustParseAddr(metadata), netip.MustParseAddr("::ffff:" + hostAt)}
	w.host.Must("raise", func() error { return Raise(rules) })
	answered(t, w.machine, metadata+":53", "169.254.1.1")
	answered(t, w.machine, hostAt+":53", machineAt)
	refused(t, w.machine, metadata+":80")
	refused(t, w.machine, hostAt+":80")
}

// A service that the host publishes at an address of its own, and has elsewhere,
// is the host's all the same.
func TestFenceRedirected(t *testing.T) {
	w := newWorld(t)
	w.host.Must("publish", func() error { return publish(8080, remoteAt) })
	w.remote.Greet(remoteAt + ":8080")
	answered(t, w.machine, hostAt+":8080", machineAt)
	w.host.Must("raise", func() error { return Raise(w.rules()) })
	refused(t, w.machine, hostAt+":8080")
	answered(t, w.machine, remoteAt+":80", hostAt)
}

// publish redirects what comes to a port, as an engine does that publishes one of
// a container.
func publish(number uint16, address string) error {
	const destination = 1 // NFT_NAT_DNAT of nf_tables.h
	var load, nat netlink.Attributes
	load.Network32(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_1)
	load.Nest(unix.NFTA_IMMEDIATE_DATA, value(netip.MustParseAddr(address).AsSlice()))
	nat.Network32(unix.NFTA_NAT_TYPE, destination)
	nat.Network32(unix.NFTA_NAT_FAMILY, unix.NFPROTO_IPV4)
	nat.Network32(unix.NFTA_NAT_REG_ADDR_MIN, unix.NFT_REG_1)
	c := chain{name: "prerouting", kind: "nat", hook: unix.NF_INET_PRE_ROUTING, priority: -100}
	redirect := rule{{"immediate", load}, {"nat", nat}}
	return filter(table(unix.NFT_MSG_NEWTABLE, "publish"), c.message("publish"),
		c.rule("publish", join(from("itvm0"), port(unix.IPPROTO_TCP, number), redirect)))
}

// A fence replaces one of its name, and without a source lets IPv4 and IPv6 pass
// as they are.
func TestFenceReplaced(t *testing.T) {
	w := newWorld(t)
	w.host.Up("itvm0", "2001:db8:1::1/64")
	w.machine.Up("eth0", "2001:db8:1::2/64")
	w.machine.Default("eth0", "2001:db8:1::1")
	w.host.Up("up0", "2001:db8:2::1/64")
	w.remote.Up("eth0", "2001:db8:2::2/64")
	w.remote.Default("eth0", "2001:db8:2::1")
	w.host.Default("up0", "2001:db8:2::2")
	w.host.Set("ipv6/conf/all/forwarding", "1")
	w.remote.Greet("[2001:db8:2::2]:80")
	w.host.Must("raise", func() error { return Raise(w.rules()) })
	refused(t, w.machine, "[2001:db8:2::2]:80")

	w.host.Must("replace", func() error { return Raise(Rules{Name: "test", Device: "itvm0"}) })
	answered(t, w.machine, "[2001:db8:2::2]:80", "2001:db8:1::2")
	answered(t, w.machine, remoteAt+":80", machineAt)
	refused(t, w.machine, "[2001:db8:1::1]:80")
	refused(t, w.machine, "[fd00:ec2::254]:80")
	refused(t, w.machine, neighbour+":80")
}

func TestRulesAreChecked(t *testing.T) {
	tests := []struct {
		rules Rules
		want  string
	}{
		{Rules{Device: "x"}, "named"},
		{Rules{Name: strings.Repeat("n", 256), Device: "x"}, "named"},
		{Rules{Name: "n"}, "no device"},
		{Rules{Name: "n", Device: "sixteen-letters-"}, "no device"},
		{Rules{Name: "n", Device: "x", Source: netip.MustParseAddr("::1")}, "no IPv4 address"},
	}
	for _, test := range tests {
		if err := Raise(test.rules); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test.rules, err)
		}
	}
}

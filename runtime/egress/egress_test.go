package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// greeter accepts connections at an address, says its name, and returns the port.
func greeter(t *testing.T, address, name string) int {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, name)
			conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func dialer(t *testing.T, lookup func(name string) []string, entries ...string) *Dialer {
	t.Helper()
	policy, err := Parse(entries)
	if err != nil {
		t.Fatal(err)
	}
	return &Dialer{
		Policy: policy,
		Lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
			var addresses []netip.Addr
			for _, a := range lookup(name) {
				addresses = append(addresses, netip.MustParseAddr(a))
			}
			return addresses, nil
		},
	}
}

// said is what the server at the other end says first.
func said(t *testing.T, d *Dialer, host string, port int) string {
	t.Helper()
	conn, err := d.Dial(t.Context(), host, port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestListedAddress(t *testing.T) {
	port := greeter(t, "127.0.0.1:0", "hello")
	at := ":" + strconv.Itoa(port)
	d := dialer(t, func(string) []string { return []string{"10.0.0.1", "127.0.0.1"} },
		"server.example"+at, "127.0.0.1"+at)
	for _, host := range []string{"127.0.0.1", "::ffff:127.0.0.1", "server.example", "SERVER.example."} {
		if got := said(t, d, host, port); got != "hello" {
			t.Errorf("%s said %q", host, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	d := dialer(t, func(name string) []string {
		address, _, _ := strings.Cut(name, ".example")
		return []string{strings.ReplaceAll(address, "-", ".")}
	}, "*.example", "10.0.0.1:99")
	d.Own = func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("9.9.9.9")}, nil }
	tests := []struct {
		host string
		port int
		want string
	}{
		{"other.test", 443, `list "other.test"`},
		{"other.test", 8443, `list "other.test:8443"`},
		{"1.1.1.1", 443, `list "1.1.1.1"`},
		{"2001:db8::1", 8443, `list "[2001:db8::1]:8443"`},
		{"127-0-0-1.example", 443, `own loopback: list "127.0.0.1" too`},
		{"10-0-0-1.example", 443, `private network: list "10.0.0.1" too`},
		{"169-254-169-254.example", 80, "metadata"},
		{"169-254-1-1.example", 80, "link-local"},
		{"9-9-9-9.example", 443, "the host itself"},
		{"0-0-0-0.example", 443, "not of the public"},
		{"", 443, "1 to 253"},
		{"a b", 443, "no domain name"},
		{"2130706433", 443, "neither"},
		{"fe80::1%lo", 443, "zone"},
		{"x.example", 0, "no port 0"},
		{"x.example", 1 << 16, "no port"},
	}
	for _, test := range tests {
		conn, err := d.Dial(t.Context(), test.host, test.port)
		if err == nil {
			conn.Close()
		}
		var refusal *Refusal
		if !errors.As(err, &refusal) || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s:%d: %v", test.host, test.port, err)
		}
	}
}

// A name that is not on the list is not even asked for: a name server would
// learn what the program has to say.
func TestUnlistedNamesAreNotResolved(t *testing.T) {
	d := dialer(t, func(name string) []string {
		t.Errorf("%s was resolved", name)
		return nil
	}, "allowed.example")
	if _, err := d.Dial(t.Context(), "secret.attacker.example", 443); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

// A name server that answers with another address later does not get the
// connection there, nor does one that hides an address among others.
func TestRebinding(t *testing.T) {
	port := greeter(t, "127.0.0.1:0", "listed")
	at := ":" + strconv.Itoa(port)
	greeter(t, "127.0.0.2"+at, "inside")
	lookups := 0
	answers := [][]string{{"127.0.0.1"}, {"127.0.0.2"}, {"127.0.0.2", "127.0.0.1"}}
	d := dialer(t, func(string) []string {
		lookups++
		return answers[lookups-1]
	}, "rebind.example"+at, "127.0.0.1"+at)
	if got := said(t, d, "rebind.example", port); got != "listed" || lookups != 1 {
		t.Errorf("%q said after %d lookups", got, lookups)
	}
	if _, err := d.Dial(t.Context(), "rebind.example", port); !errors.Is(err, ErrRefused) || lookups != 2 {
		t.Errorf("%v after %d lookups", err, lookups)
	}
	if got := said(t, d, "rebind.example", port); got != "listed" || lookups != 3 {
		t.Errorf("%q said after %d lookups", got, lookups)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	d := dialer(t, func(string) []string { return nil }, "empty.example", "127.0.0.1:"+strconv.Itoa(port))
	for host, p := range map[string]int{"127.0.0.1": port, "empty.example": 443} {
		if _, err := d.Dial(t.Context(), host, p); err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), host) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestSpecial(t *testing.T) {
	for _, public := range []string{"1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"} {
		if what := special(netip.MustParseAddr(public)); what != "" {
			t.Errorf("%s is %s", public, what)
		}
	}
	for _, inside := range []string{
		"0.0.0.0", "127.9.9.9", "10.255.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
		"169.254.169.254", "168.63.129.16", "224.0.0.1", "255.255.255.255", "198.19.0.1",
		"::", "::1", "::127.0.0.1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
		"64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "2001:db8::1",
	} {
		if special(netip.MustParseAddr(inside)) == "" {
			t.Errorf("%s counts as public", inside)
		}
	}
}

func TestHostAddresses(t *testing.T) {
	own, err := hostAddresses()
	if err != nil || !slices.Contains(own, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("%v, %v", own, err)
	}
}

// The host's own resolver knows the name of its loopback.
func TestLookupHost(t *testing.T) {
	addresses, err := LookupHost(t.Context(), "localhost")
	if err != nil || !slices.ContainsFunc(addresses, netip.Addr.IsLoopback) {
		t.Errorf("%v, %v", addresses, err)
	}
}

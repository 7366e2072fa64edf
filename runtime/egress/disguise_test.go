package egress

import (
	"errors"
	"testing"
)

// An address of the host or its surroundings stays one in whatever form a name
// server gives it.
func TestDisguisedAddresses(t *testing.T) {
	for _, address := range []string{
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", // IPv4 as IPv6
		"::127.0.0.1",              // as it was once
		"64:ff9b::7f00:1",          // NAT64
		"2002:7f00:1::",            // 6to4
		"2001:0:7f00:1::",          // Teredo
		"fe80::1", "fd00:ec2::254", // link-local, metadata
		"0.0.0.0", "::", "0.127.0.1", // "this host"
	} {
		d := dialer(t, func(string) []string { return []string{address} }, "*.example", "9.9.9.9")
		conn, err := d.Dial(t.Context(), "name.example", 443)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, ErrRefused) {
			t.Errorf("a name of %s: %v", address, err)
		}
	}
}

// A name that only looks like one on the list is another name, and what is no
// name is not resolved at all.
func TestDisguisedNames(t *testing.T) {
	d := dialer(t, func(name string) []string {
		t.Errorf("%q was resolved", name)
		return nil
	}, "listed.example", "*.wild.example", "xn--bcher-kva.example", "192.0.2.1")
	for _, name := range []string{
		"bücher.example", // the form for people: programs translate it
		"ⅼisted.example", // a letter that looks like another
		"listed.example..", ".listed.example", "listed..example",
		"listed.example:443", "listed.example/", "listed.example@other.test", "listed.example\x00.other.test",
		"listed.example.other.test", "otherlisted.example", "wild.example", ".wild.example", "*.wild.example",
		"192.0.2.1.other.test", "192.0.2.01", "192.0.2.1.", "0xc0.0.2.1", "3221225985", "192.0.513", "[192.0.2.1]", "::ffff:192.0.2.2",
		"listed.example%00", "listed.example ", "",
	} {
		conn, err := d.Dial(t.Context(), name, 443)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

//go:build linux

package native

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent/netlink"
	"github.com/itechsmart/vm/runtime/agent/netlink/netlinktest"
)

func TestUplinkOf(t *testing.T) {
	first, last := uplinkOf(0), uplinkOf(uplinks()-1)
	if got := first.device + " " + first.host.String() + " " + first.guest.String(); got != "itvm0 198.19.0.0 198.19.0.1" {
		t.Error(got)
	}
	if got := last.device + " " + last.host.String() + " " + last.guest.String(); got != "itvm32767 198.19.255.254 198.19.255.255" {
		t.Error(got)
	}
}

func TestCommentedBy(t *testing.T) {
	ref := runtime.Ref{Instance: "abc", VM: 1}
	for rule, want := range map[string]bool{
		"-A FORWARD -i itvm1 -m comment --comment itechsmart-abc-1 -j ACCEPT":   true,
		`-A FORWARD -i itvm1 -m comment --comment "itechsmart-abc-1" -j ACCEPT`: true,
		"-A FORWARD -i itvm1 -m comment --comment itechsmart-abc-10 -j ACCEPT":  false,
		"-A FORWARD -i itvm1 -j ACCEPT":                                         false,
		"-P FORWARD DROP":                                                       false,
		"-A FORWARD -m comment --comment":                                       false,
	} {
		if got := commentedBy(strings.Fields(rule), ref); got != want {
			t.Errorf("%s: %v", rule, got)
		}
	}
}

// Where two machines begin at the same number, or the host has an address itself,
// the next is taken.
func TestLayCableTaken(t *testing.T) {
	host, other := netlinktest.New(t), netlinktest.New(t)
	ref := runtime.Ref{Instance: "cables", VM: 1}
	lay := func() uplink {
		guest := netlinktest.New(t)
		var made uplink
		host.Must("lay a cable", func() error {
			conn, err := netlink.Open(unix.NETLINK_ROUTE)
			if err != nil {
				return err
			}
			made, err = layCable(conn, ref, guest.File())
			return errors.Join(err, conn.Close())
		})
		return made
	}
	first := lay()
	second := lay()
	third := numbered(t, second, 1)
	host.Cable("lan0", other, "eth0")
	host.Up("lan0", netip.PrefixFrom(third.guest, 24).String())
	fourth := lay()
	want := []uplink{first, numbered(t, first, 1), numbered(t, first, 3)}
	if got := []uplink{first, second, fourth}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// numbered is the uplink that comes some after another.
func numbered(t *testing.T, u uplink, after uint32) uplink {
	t.Helper()
	for n := range uplinks() {
		if uplinkOf(n) == u {
			return uplinkOf((n + after) % uplinks())
		}
	}
	t.Fatalf("%+v has no number", u)
	return uplink{}
}

package runtimetest

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/itechsmart/vm/runtime/agent/netlink/netlinktest"
)

// remote is a host beyond this one: a network namespace at the end of a cable.
type remote struct {
	home    *netlinktest.Host // this host
	host    *netlinktest.Host
	address string // where it answers, with a port
	sees    string // the address that this host has for it
}

// remoteRange is reserved for documentation, RFC 5737: nobody is there.
var remoteRange = netip.MustParseAddr("198.51.100.0")

// maxRemotes is how many hosts of four addresses each there can be at a time.
const maxRemotes = 64

// newRemote makes a host that answers everybody with the address that he comes
// from. Several test processes may each have one.
func newRemote(t *testing.T) remote {
	t.Helper()
	r := remote{home: netlinktest.Self(t), host: netlinktest.New(t)}
	ours := remoteRange
	for n := range maxRemotes {
		device := fmt.Sprint("itremote", n)
		ours = ours.Next()
		theirs := ours.Next()
		if !r.home.TryCable(device, r.host, "eth0") {
			ours = theirs.Next().Next()
			continue
		}
		r.home.Up(device, ours.String()+"/30")
		r.host.Up("eth0", theirs.String()+"/30")
		r.host.Default("eth0", ours.String())
		r.sees = ours.String()
		r.address = netip.AddrPortFrom(theirs, 80).String()
		r.host.Greet(r.address)
		return r
	}
	t.Fatal("there are too many remote hosts already")
	return r
}

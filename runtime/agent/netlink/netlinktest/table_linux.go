package netlinktest

import (
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/netlink"
)

// HasTable reports whether the packet filter of the host that the test runs on has
// a table of IPv4 and IPv6 of the name.
func HasTable(t *testing.T, name string) bool {
	t.Helper()
	conn, err := netlink.Open(unix.NETLINK_NETFILTER)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var a netlink.Attributes
	a.String(unix.NFTA_TABLE_NAME, name)
	_, err = conn.Ask(netlink.Message{
		Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETTABLE,
		Body: append(binary.BigEndian.AppendUint16([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0}, 0), a...),
	})
	if err != nil && !errors.Is(err, unix.ENOENT) {
		t.Fatal(err)
	}
	return err == nil
}

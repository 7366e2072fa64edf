package netlink

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// vethPeer is VETH_INFO_PEER of the kernel's veth.h, which x/sys does not have.
const vethPeer = 1

// Link is a network device.
type Link struct {
	Index int32
	Name  string
	Alias string // a text for people and programs, of up to 255 bytes
}

// Pair describes two devices that are the ends of one cable.
type Pair struct {
	Name, Peer string
	MTU        int // bytes of a packet at most, of both; 0 = the kernel's choice
}

// AddPair makes a pair: Name in the socket's namespace, and Peer in another, or
// the same when that is nil. Both are down. It fails with unix.EEXIST when there
// is a device of the name.
func (c *Conn) AddPair(p Pair, peerNamespace *os.File) error {
	var other, data, info, a Attributes
	a.String(unix.IFLA_IFNAME, p.Name)
	other.String(unix.IFLA_IFNAME, p.Peer)
	if p.MTU > 0 {
		a.Uint32(unix.IFLA_MTU, uint32(p.MTU))
		other.Uint32(unix.IFLA_MTU, uint32(p.MTU))
	}
	if peerNamespace != nil {
		other.Uint32(unix.IFLA_NET_NS_FD, uint32(peerNamespace.Fd()))
	}
	data.Bytes(vethPeer, append(linkHeader(0, 0, 0), other...))
	info.String(unix.IFLA_INFO_KIND, "veth")
	info.Nest(unix.IFLA_INFO_DATA, data)
	a.Nest(unix.IFLA_LINKINFO, info)
	return c.Do(Message{
		Type: unix.RTM_NEWLINK, Flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL, Body: append(linkHeader(0, 0, 0), a...),
	})
}

// Link finds a device; unix.ENODEV = there is none of that name.
func (c *Conn) Link(name string) (Link, error) {
	var a Attributes
	a.String(unix.IFLA_IFNAME, name)
	m, err := c.Ask(Message{Type: unix.RTM_GETLINK, Body: append(linkHeader(0, 0, 0), a...)})
	if err != nil {
		return Link{}, err
	}
	if m.Type != unix.RTM_NEWLINK || len(m.Body) < unix.SizeofIfInfomsg {
		return Link{}, fmt.Errorf("ask for the device %s: %w", name, unix.EBADMSG)
	}
	found := Attributes(m.Body[unix.SizeofIfInfomsg:])
	return Link{
		Index: int32(binary.NativeEndian.Uint32(m.Body[4:])),
		Name:  text(found.Find(unix.IFLA_IFNAME)),
		Alias: text(found.Find(unix.IFLA_IFALIAS)),
	}, nil
}

func text(value []byte) string { return strings.TrimRight(string(value), "\x00") }

// SetUp brings a device up and gives it an alias, unless that is empty.
func (c *Conn) SetUp(index int32, alias string) error {
	var a Attributes
	if alias != "" {
		a.Bytes(unix.IFLA_IFALIAS, []byte(alias))
	}
	return c.Do(Message{Type: unix.RTM_NEWLINK, Body: append(linkHeader(index, unix.IFF_UP, unix.IFF_UP), a...)})
}

// RemoveLink removes a device, and with one end of a pair the other.
func (c *Conn) RemoveLink(index int32) error {
	return c.Do(Message{Type: unix.RTM_DELLINK, Body: linkHeader(index, 0, 0)})
}

// AddAddress gives a device an address that nobody else has, and the host a route
// to the network that it is of. It can be used at once.
func (c *Conn) AddAddress(index int32, address netip.Prefix) error {
	var a Attributes
	a.Bytes(unix.IFA_LOCAL, address.Addr().AsSlice())
	a.Bytes(unix.IFA_ADDRESS, address.Addr().AsSlice())
	// struct ifaddrmsg
	header := []byte{familyOf(address.Addr()), byte(address.Bits()), unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE}
	header = binary.NativeEndian.AppendUint32(header, uint32(index))
	return c.Do(Message{
		Type: unix.RTM_NEWADDR, Flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL, Body: append(header, a...),
	})
}

// AddDefaultRoute sends what has no other way through a gateway behind a device.
func (c *Conn) AddDefaultRoute(index int32, gateway netip.Addr) error {
	var a Attributes
	a.Bytes(unix.RTA_GATEWAY, gateway.AsSlice())
	a.Uint32(unix.RTA_OIF, uint32(index))
	// struct rtmsg: family, lengths of both addresses, TOS, table, origin, scope,
	// type, flags
	header := []byte{
		familyOf(gateway), 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0,
	}
	return c.Do(Message{
		Type: unix.RTM_NEWROUTE, Flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL, Body: append(header, a...),
	})
}

func familyOf(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// linkHeader is a struct ifinfomsg.
func linkHeader(index int32, flags, change uint32) []byte {
	h := []byte{unix.AF_UNSPEC, 0, 0, 0}
	h = binary.NativeEndian.AppendUint32(h, uint32(index))
	h = binary.NativeEndian.AppendUint32(h, flags)
	return binary.NativeEndian.AppendUint32(h, change)
}

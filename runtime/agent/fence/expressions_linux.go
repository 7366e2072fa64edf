package fence

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/netlink"
)

// rule is a list of expressions, each of which has to hold for the next to be
// looked at; the last says what happens. See nft(8), whose words the functions
// below are named after.
type rule []expression

// expression of the packet filter's little machine, with one register in use.
type expression struct {
	name string
	data netlink.Attributes
}

// Connection states and status, of the kernel's nf_conntrack_common.h; x/sys does
// not have them.
const (
	stateEstablished = 1 << 1
	stateRelated     = 1 << 2
	stateNew         = 1 << 3
	statusDNAT       = 1 << 5
)

// Offsets and lengths in the headers of IPv4 (RFC 791), IPv6 (RFC 8200), and of
// TCP and UDP alike.
const (
	source4, destination4 = 12, 16
	destination6          = 24
	destinationPort       = 2
	portLength            = 2
)

func join(parts ...rule) rule {
	var all rule
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// from: the packet came in by the device.
func from(device string) rule { return named(unix.NFT_META_IIFNAME, wholeName(device)) }

// to: the packet goes out by the device.
func to(device string) rule { return named(unix.NFT_META_OIFNAME, wholeName(device)) }

// toAny: the packet goes out by a device whose name begins so.
func toAny(prefix string) rule { return named(unix.NFT_META_OIFNAME, []byte(prefix)) }

func named(key uint32, name []byte) rule { return rule{meta(key), compare(unix.NFT_CMP_EQ, name)} }

// wholeName is a device's name as the kernel has it, with zeros behind.
func wholeName(device string) []byte {
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, device)
	return name
}

// family: the packet is of IPv4 or IPv6, as unix.NFPROTO_… has it.
func family(protocol byte) rule {
	return rule{meta(unix.NFT_META_NFPROTO), compare(unix.NFT_CMP_EQ, []byte{protocol})}
}

// into: the packet is for an address in the network.
func into(network netip.Prefix) rule {
	network = network.Masked()
	address := network.Addr()
	length := address.BitLen() / 8
	protocol, offset := byte(unix.NFPROTO_IPV4), uint32(destination4)
	if address.Is6() {
		protocol, offset = unix.NFPROTO_IPV6, destination6
	}
	r := append(family(protocol), payload(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, uint32(length)))
	if network.Bits() < address.BitLen() {
		r = append(r, masked(maskOf(network.Bits(), length)))
	}
	return append(r, compare(unix.NFT_CMP_EQ, address.AsSlice()))
}

func maskOf(bits, length int) []byte {
	mask := make([]byte, length)
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}

// source compares where an IPv4 packet says that it comes from.
func source(operation uint32, address netip.Addr) rule {
	return append(family(unix.NFPROTO_IPV4),
		payload(unix.NFT_PAYLOAD_NETWORK_HEADER, source4, 4),
		compare(operation, address.AsSlice()))
}

// port: the packet is of the protocol, TCP or UDP, and for the port.
func port(protocol byte, number uint16) rule {
	return rule{
		meta(unix.NFT_META_L4PROTO), compare(unix.NFT_CMP_EQ, []byte{protocol}),
		payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, destinationPort, portLength),
		compare(unix.NFT_CMP_EQ, binary.BigEndian.AppendUint16(nil, number)),
	}
}

// neighbourDiscovery are the kinds of messages of RFC 4861 that end at a router.
var neighbourDiscovery = []byte{
	133, // router solicitation
	135, // neighbour solicitation
	136, // neighbour advertisement
}

// icmp6: the packet is a message of ICMPv6 of the kind.
func icmp6(kind byte) rule {
	return rule{
		meta(unix.NFT_META_L4PROTO), compare(unix.NFT_CMP_EQ, []byte{unix.IPPROTO_ICMPV6}),
		payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1),
		compare(unix.NFT_CMP_EQ, []byte{kind}),
	}
}

// tracked: the connection has one of the bits set, of what the key asks about it.
func tracked(key, bits uint32) rule {
	var load netlink.Attributes
	load.Network32(unix.NFTA_CT_KEY, key)
	load.Network32(unix.NFTA_CT_DREG, unix.NFT_REG_1)
	return rule{
		{"ct", load},
		masked(binary.NativeEndian.AppendUint32(nil, bits)),
		compare(unix.NFT_CMP_NEQ, make([]byte, 4)),
	}
}

// known: the packet belongs to a connection that somebody was allowed to begin.
func known() rule { return tracked(unix.NFT_CT_STATE, stateEstablished|stateRelated) }

// begun: the packet is the first of a connection.
func begun() rule { return tracked(unix.NFT_CT_STATE, stateNew) }

// redirected: the host itself has changed where the connection goes, as it does
// for a service that it publishes.
func redirected() rule { return tracked(unix.NFT_CT_STATUS, statusDNAT) }

// verdict ends the chain; target is where the next goes on, if the code says so.
func verdict(code int32, target string) rule {
	var kind, value, data netlink.Attributes
	kind.Network32(unix.NFTA_VERDICT_CODE, uint32(code))
	if target != "" {
		kind.String(unix.NFTA_VERDICT_CHAIN, target)
	}
	value.Nest(unix.NFTA_DATA_VERDICT, kind)
	data.Network32(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT)
	data.Nest(unix.NFTA_IMMEDIATE_DATA, value)
	return rule{{"immediate", data}}
}

// Verdicts of the kernel's netfilter.h and nf_tables.h.
const (
	codeDrop   = 0
	codeAccept = 1
	codeGoto   = -4
)

func accept() rule { return verdict(codeAccept, "") }

func drop() rule { return verdict(codeDrop, "") }

// refuse goes on with the chain that tells the sender at once.
func refuse() rule { return verdict(codeGoto, refusing) }

// reset ends a connection of TCP. Unlike messages of ICMP, the kernel sends as
// many of these as it takes.
func reset() rule {
	return append(rule{meta(unix.NFT_META_L4PROTO), compare(unix.NFT_CMP_EQ, []byte{unix.IPPROTO_TCP})},
		rejection(unix.NFT_REJECT_TCP_RST, 0))
}

// prohibit says by ICMP: "communication administratively prohibited".
func prohibit() rule {
	return rule{rejection(unix.NFT_REJECT_ICMPX_UNREACH, unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED)}
}

func rejection(kind uint32, code byte) expression {
	var data netlink.Attributes
	data.Network32(unix.NFTA_REJECT_TYPE, kind)
	data.Bytes(unix.NFTA_REJECT_ICMP_CODE, []byte{code})
	return expression{"reject", data}
}

// masquerade gives the packet the address of the device that it leaves by.
func masquerade() rule { return rule{{"masq", nil}} }

// meta loads what is known of a packet besides its bytes.
func meta(key uint32) expression {
	var data netlink.Attributes
	data.Network32(unix.NFTA_META_KEY, key)
	data.Network32(unix.NFTA_META_DREG, unix.NFT_REG_1)
	return expression{"meta", data}
}

// payload loads bytes of one of the packet's headers.
func payload(header, offset, length uint32) expression {
	var data netlink.Attributes
	data.Network32(unix.NFTA_PAYLOAD_DREG, unix.NFT_REG_1)
	data.Network32(unix.NFTA_PAYLOAD_BASE, header)
	data.Network32(unix.NFTA_PAYLOAD_OFFSET, offset)
	data.Network32(unix.NFTA_PAYLOAD_LEN, length)
	return expression{"payload", data}
}

// masked keeps some bits of what is loaded.
func masked(mask []byte) expression {
	var data netlink.Attributes
	data.Network32(unix.NFTA_BITWISE_SREG, unix.NFT_REG_1)
	data.Network32(unix.NFTA_BITWISE_DREG, unix.NFT_REG_1)
	data.Network32(unix.NFTA_BITWISE_LEN, uint32(len(mask)))
	data.Nest(unix.NFTA_BITWISE_MASK, value(mask))
	data.Nest(unix.NFTA_BITWISE_XOR, value(make([]byte, len(mask))))
	return expression{"bitwise", data}
}

// compare compares what is loaded; a shorter value compares its beginning.
func compare(operation uint32, with []byte) expression {
	var data netlink.Attributes
	data.Network32(unix.NFTA_CMP_SREG, unix.NFT_REG_1)
	data.Network32(unix.NFTA_CMP_OP, operation)
	data.Nest(unix.NFTA_CMP_DATA, value(with))
	return expression{"cmp", data}
}

func value(bytes []byte) netlink.Attributes {
	var data netlink.Attributes
	data.Bytes(unix.NFTA_DATA_VALUE, bytes)
	return data
}

// encode writes a rule down as the kernel takes it.
func (r rule) encode() netlink.Attributes {
	var list netlink.Attributes
	for _, e := range r {
		var element netlink.Attributes
		element.String(unix.NFTA_EXPR_NAME, e.name)
		element.Nest(unix.NFTA_EXPR_DATA, e.data)
		list.Nest(unix.NFTA_LIST_ELEM, element)
	}
	return list
}

package native

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent/fence"
	"github.com/itechsmart/vm/runtime/agent/netlink"
)

// A machine with the network mode full has an uplink: a pair of devices, one end
// in its network namespace and one on the host, with an address each. The host
// forwards what comes from it, behind a fence, and gives it its own address.
//
// The host's end ends with the machine's namespace: nothing of the pair can be
// left. Its name is also what keeps two machines, of any two processes, from
// having the same addresses: the kernel takes each name once.
const (
	guestDevice = "eth0"
	uplinkBits  = 31 // RFC 3021: two addresses and nothing else
	maxAttempts = 256
)

// uplinkRange is where machines' addresses are. It is half of what RFC 2544
// reserves for tests of devices between networks, and thus in use on none.
var uplinkRange = netip.MustParsePrefix("198.19.0.0/16")

// uplink is one machine's.
type uplink struct {
	device      string // the host's end
	host, guest netip.Addr
}

// uplinkOf is the uplink of a number, which is below uplinks().
func uplinkOf(number uint32) uplink {
	base := binary.BigEndian.Uint32(uplinkRange.Addr().AsSlice())
	address := func(n uint32) netip.Addr {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, base+n)))
	}
	return uplink{
		device: fmt.Sprint(fence.MachineDevice, number),
		host:   address(2 * number), guest: address(2*number + 1),
	}
}

// uplinks is how many there can be.
func uplinks() uint32 { return 1 << (uplinkBits - uplinkRange.Bits()) }

// connect gives the machine whose process waits an uplink and puts a fence around
// it. When it fails, disconnect removes what there is.
func connect(ref runtime.Ref, process int, resolvers []netip.Addr) (uplink, error) {
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", process))
	if err != nil {
		return uplink{}, fmt.Errorf("find the machine's network: %w", err)
	}
	defer func() { _ = namespace.Close() }()
	conn, err := netlink.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return uplink{}, err
	}
	defer func() { _ = conn.Close() }()
	u, err := layCable(conn, ref, namespace)
	if err != nil {
		return uplink{}, fmt.Errorf("make the machine's network device: %w", err)
	}
	// Before there is a way through it.
	if err := fence.Raise(u.fence(ref, resolvers)); err != nil {
		return u, err
	}
	if err := forwarding.open(ref, u.device); err != nil {
		return u, err
	}
	if err := u.configureHost(conn, ref); err != nil {
		return u, fmt.Errorf("configure the network device %s: %w", u.device, err)
	}
	if err := u.configureGuest(namespace); err != nil {
		return u, fmt.Errorf("configure the machine's network device: %w", err)
	}
	return u, nil
}

// fence is what holds the machine back.
func (u uplink) fence(ref runtime.Ref, resolvers []netip.Addr) fence.Rules {
	return fence.Rules{Name: ref.String(), Device: u.device, Source: u.guest, Resolvers: resolvers}
}

// layCable makes the pair of devices. Machines begin to look for a free one at
// different numbers, so that nearly always the first is.
func layCable(conn *netlink.Conn, ref runtime.Ref, namespace *os.File) (uplink, error) {
	taken, err := net.InterfaceAddrs()
	if err != nil {
		return uplink{}, err
	}
	hash := fnv.New32a()
	hash.Write([]byte(ref.String()))
	first := hash.Sum32()
	mtu := wayOutMTU()
	for i := range uint32(maxAttempts) {
		u := uplinkOf((first + i) % uplinks())
		if u.clashes(taken) {
			continue // as where this host is itself a machine of another
		}
		pair := netlink.Pair{Name: u.device, Peer: guestDevice, MTU: mtu}
		if err = conn.AddPair(pair, namespace); !errors.Is(err, unix.EEXIST) {
			return u, err
		}
	}
	return uplink{}, fmt.Errorf("no address is free: %w", unix.EADDRNOTAVAIL)
}

// wayOutMTU is the size of the largest packet that the host sends to the outside,
// 0 = not known: with larger ones of its own, a machine would depend on messages
// that many a network loses.
func wayOutMTU() int {
	raw, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		// Device, destination, …: the first without a destination takes the rest.
		if words := strings.Fields(line); len(words) > 1 && words[1] == "00000000" {
			if device, err := net.InterfaceByName(words[0]); err == nil {
				return device.MTU
			}
		}
	}
	return 0
}

// clashes reports whether one of the addresses is the host's already.
func (u uplink) clashes(taken []net.Addr) bool {
	return slices.ContainsFunc(taken, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && (p.Addr().Unmap() == u.host || p.Addr().Unmap() == u.guest)
	})
}

func (u uplink) configureHost(conn *netlink.Conn, ref runtime.Ref) error {
	link, err := conn.Link(u.device)
	if err != nil {
		return err
	}
	if err := conn.SetUp(link.Index, ref.String()); err != nil {
		return err
	}
	return conn.AddAddress(link.Index, netip.PrefixFrom(u.host, uplinkBits))
}

func (u uplink) configureGuest(namespace *os.File) error {
	conn, err := netlink.OpenIn(namespace, unix.NETLINK_ROUTE, guestSettings)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	link, err := conn.Link(guestDevice)
	if err != nil {
		return err
	}
	if err := conn.SetUp(link.Index, ""); err != nil {
		return err
	}
	if err := conn.AddAddress(link.Index, netip.PrefixFrom(u.guest, uplinkBits)); err != nil {
		return err
	}
	return conn.AddDefaultRoute(link.Index, u.host)
}

// guestSettings are made in the machine's network namespace, before its device is
// up.
func guestSettings() error {
	// What it has is IPv4. Without this, programs would find an address of IPv6
	// that leads nowhere. Where the kernel has no IPv6, there is nothing to do.
	err := os.WriteFile("/proc/sys/net/ipv6/conf/"+guestDevice+"/disable_ipv6", []byte("1"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("switch off IPv6: %w", err)
	}
	// ping(8) without privileges.
	group := fmt.Sprintf("%d %d", uint32(hostBase), uint32(hostBase+machineIDs-1))
	if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte(group), 0); err != nil {
		return fmt.Errorf("allow ping: %w", err)
	}
	return nil
}

// disconnect removes a machine's uplink and its fence, whatever there is of them.
// Of a machine without a record the device is not known, and has gone with the
// machine's namespace.
func disconnect(ref runtime.Ref, device string) error {
	return errors.Join(cutCable(ref, device), forwarding.shut(ref), fence.Lower(ref.String()))
}

// cutCable removes the host's end, unless another machine has the name by now. It
// goes with the machine's namespace anyway, but some time later.
func cutCable(ref runtime.Ref, device string) error {
	if device == "" {
		return nil
	}
	conn, err := netlink.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	link, err := conn.Link(device)
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil || link.Alias != ref.String() {
		return err
	}
	if err := conn.RemoveLink(link.Index); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove the network device %s: %w", device, err)
	}
	return nil
}

// examineUplinks finds out why machines can have no uplinks here, in a network
// namespace that nobody sees; nil = they can.
func (d *Driver) examineUplinks() error {
	if !d.identity().privileged {
		return runtime.WithHint(errors.New("an ordinary user can make no network device on the host"),
			"use the network mode allowlist, or the docker runtime, or run as root")
	}
	raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	if err != nil || strings.TrimSpace(string(raw)) != "1" {
		return runtime.WithHint(errors.New("the kernel forwards nothing between network devices"),
			"sudo sysctl -w net.ipv4.ip_forward=1, or use the network mode allowlist")
	}
	var trial error
	err = onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("the kernel makes no network namespace: %w", err)
		}
		trial = tryParts()
		return nil
	})
	if err = errors.Join(err, trial); err != nil {
		return runtime.WithHint(err, "load the kernel's modules veth, nf_tables, nft_ct, nft_masq and nft_reject_inet, or use the network mode allowlist")
	}
	return nil
}

// tryParts makes what an uplink takes, in the calling thread's network namespace.
func tryParts() error {
	conn, err := netlink.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	u := uplinkOf(0)
	if err := conn.AddPair(netlink.Pair{Name: u.device, Peer: guestDevice}, nil); err != nil {
		return fmt.Errorf("the kernel makes no pair of network devices (veth): %w", err)
	}
	ref := runtime.Ref{Instance: probeInstance}
	if err := fence.Raise(u.fence(ref, []netip.Addr{u.host})); err != nil {
		return fmt.Errorf("the kernel filters no packets (nftables): %w", err)
	}
	return nil
}

package netlinktest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	goruntime "runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/netlink"
)

// patience with a connection that nobody answers. It is only ever waited for
// where there is to be no answer, and where there is to be one it is long.
const patience = 20 * time.Second

// Host is a network namespace.
type Host struct {
	t    *testing.T
	file *os.File
}

// New makes a host with nothing but a loopback device, which is up. It ends with
// the test.
func New(t *testing.T) *Host {
	t.Helper()
	h := namespace(t, unix.CLONE_NEWNET)
	// Nobody else has an address of IPv6, if there is IPv6: asking takes seconds.
	if _, err := os.Stat("/proc/sys/net/ipv6"); err == nil {
		h.Set("ipv6/conf/all/accept_dad", "0")
		h.Set("ipv6/conf/default/accept_dad", "0")
	}
	h.Up("lo")
	return h
}

// Self is the host that the test itself runs on.
func Self(t *testing.T) *Host {
	t.Helper()
	return namespace(t, 0)
}

// namespace opens the network namespace of a thread that leaves some.
func namespace(t *testing.T, leave int) *Host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root makes networks")
	}
	h := &Host{t: t}
	err := onThread(func() (err error) {
		if err = unix.Unshare(leave); err == nil {
			h.file, err = os.Open("/proc/thread-self/ns/net")
		}
		return err
	})
	if err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	t.Cleanup(func() { h.file.Close() })
	return h
}

// File is the namespace, which stays the host's.
func (h *Host) File() *os.File { return h.file }

// onThread calls f on a thread that ends with it.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		goruntime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// Do calls f on a thread that is on the host. What f starts in other goroutines
// is not.
func (h *Host) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(h.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

// Must is Do that fails the test.
func (h *Host) Must(doing string, f func() error) {
	h.t.Helper()
	if err := h.Do(f); err != nil {
		h.t.Fatalf("%s: %v", doing, err)
	}
}

// Set writes a setting of the host's network, by its path below /proc/sys/net.
func (h *Host) Set(path, value string) {
	h.t.Helper()
	h.Must("set "+path, func() error { return os.WriteFile("/proc/sys/net/"+path, []byte(value), 0) })
}

// routed calls f with a connection to the host's network settings.
func (h *Host) routed(doing string, f func(*netlink.Conn) error) {
	h.t.Helper()
	conn, err := netlink.OpenIn(h.file, unix.NETLINK_ROUTE)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := errors.Join(f(conn), conn.Close()); err != nil {
		h.t.Fatalf("%s: %v", doing, err)
	}
}

// Up brings a device up and gives it addresses, such as 192.0.2.1/24.
func (h *Host) Up(device string, addresses ...string) {
	h.t.Helper()
	h.routed("bring up "+device, func(conn *netlink.Conn) error {
		link, err := conn.Link(device)
		if err != nil {
			return err
		}
		if err := conn.SetUp(link.Index, ""); err != nil {
			return err
		}
		for _, a := range addresses {
			if err := conn.AddAddress(link.Index, netip.MustParsePrefix(a)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Default sends what has no other way through a gateway behind a device.
func (h *Host) Default(device, gateway string) {
	h.t.Helper()
	h.routed("route through "+gateway, func(conn *netlink.Conn) error {
		link, err := conn.Link(device)
		if err != nil {
			return err
		}
		return conn.AddDefaultRoute(link.Index, netip.MustParseAddr(gateway))
	})
}

// TryCable lays a cable to another host, and ends with the test. It reports false
// when there is a device of the name on h.
func (h *Host) TryCable(device string, other *Host, otherDevice string) bool {
	h.t.Helper()
	laid := true
	h.routed("lay a cable", func(conn *netlink.Conn) error {
		err := conn.AddPair(netlink.Pair{Name: device, Peer: otherDevice}, other.file)
		if errors.Is(err, unix.EEXIST) {
			laid, err = false, nil
		}
		return err
	})
	if laid {
		h.t.Cleanup(func() { h.cut(device) })
	}
	return laid
}

// Cable lays a cable to another host. It ends with the test.
func (h *Host) Cable(device string, other *Host, otherDevice string) {
	h.t.Helper()
	if !h.TryCable(device, other, otherDevice) {
		h.t.Fatalf("there is a device %s", device)
	}
}

func (h *Host) cut(device string) {
	h.routed("cut a cable", func(conn *netlink.Conn) error {
		link, err := conn.Link(device)
		if errors.Is(err, unix.ENODEV) {
			return nil
		}
		if err == nil {
			err = conn.RemoveLink(link.Index)
		}
		return err
	})
}

// Greet answers connections to an address and port of the host, until the test
// ends, with the address that they come from.
func (h *Host) Greet(address string) {
	h.t.Helper()
	var listener net.Listener
	h.Must("listen at "+address, func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	h.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			peer := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
			_, _ = io.WriteString(conn, peer.String())
			conn.Close()
		}
	}()
}

// Ask connects from the host and returns what the other end says.
func (h *Host) Ask(address string) (string, error) { return h.AskFrom(netip.Addr{}, address) }

// AskFrom is Ask from one of the host's addresses.
func (h *Host) AskFrom(source netip.Addr, address string) (string, error) {
	dialer := net.Dialer{Timeout: patience}
	if source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	var said string
	err := h.Do(func() error {
		conn, err := dialer.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		raw, err := io.ReadAll(conn)
		said = string(raw)
		return err
	})
	return said, err
}

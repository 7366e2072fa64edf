//go:build linux

package native_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent/netlink/netlinktest"
	"github.com/itechsmart/vm/runtime/native"
)

// connectedSpec is a machine with an uplink.
func connectedSpec(vm int64) runtime.Spec {
	s := spec(vm)
	s.Network = runtime.Network{Mode: runtime.NetworkFull}
	return s
}

// uplinkDriver is a driver whose machines can have uplinks, and ask a name server.
func uplinkDriver(t *testing.T, state, nameServer string) runtime.Driver {
	t.Helper()
	conf := filepath.Join(state, "resolv.conf")
	must(t, os.WriteFile(conf, []byte("nameserver "+nameServer+"\n"), 0o600))
	driver := native.New(native.Options{StateDir: state, Path: "/usr/bin:/bin", Agent: agentProgram(t), ResolvConf: conf})
	features, err := driver.Probe(t.Context())
	if err != nil || !slices.Contains(features.Networks, runtime.NetworkFull) {
		t.Skipf("no uplinks here: %v, %+v", err, features.Refused)
	}
	return driver
}

// TestUplinkNames resolves a name in a machine, by way of a server beyond the
// host.
func TestUplinkNames(t *testing.T) {
	home, remote := netlinktest.Self(t), netlinktest.New(t)
	// Of the range that is reserved for documentation; runtimetest has another.
	n := 0 // the first that no other test process has
	for ; !home.TryCable(fmt.Sprint("itnames", n), remote, "eth0"); n++ {
		if n == 60 {
			t.Fatal("there are too many name servers already")
		}
	}
	ours, theirs := fmt.Sprint("203.0.113.", 4*n+1), fmt.Sprint("203.0.113.", 4*n+2)
	home.Up(fmt.Sprint("itnames", n), ours+"/30")
	remote.Up("eth0", theirs+"/30")
	remote.Default("eth0", ours)
	serveNames(t, remote, theirs+":53", [4]byte{203, 0, 113, 255})

	driver := uplinkDriver(t, t.TempDir(), theirs)
	s := connectedSpec(1)
	makeMachine(t, driver, s)
	if got := shell(t, driver, s.Ref, "cat /etc/resolv.conf; getent ahostsv4 anything.example"); !strings.Contains(got, "nameserver "+theirs) ||
		!strings.Contains(got, "203.0.113.255") {
		t.Errorf("in the machine: %q", got)
	}
	if got := shell(t, driver, s.Ref, "echo nameserver 192.0.2.1 > /etc/resolv.conf || echo refused"); !strings.Contains(got, "refused") {
		t.Errorf("its name servers can be changed: %q", got)
	}
}

// serveNames answers every question for an address of IPv4 with the same one.
func serveNames(t *testing.T, on *netlinktest.Host, at string, answer [4]byte) {
	t.Helper()
	var conn net.PacketConn
	on.Must("listen for questions", func() (err error) {
		conn, err = net.ListenPacket("udp", at)
		return err
	})
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60},
					Body:   &dnsmessage.AResource{A: answer},
				}}
			}
			if packed, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
}

// Machines that are made at the same time, by drivers that do not know of each
// other, have different addresses.
func TestUplinksAtOnce(t *testing.T) {
	const machines = 6
	addresses := make([]string, machines)
	var group sync.WaitGroup
	for i := range machines {
		driver := uplinkDriver(t, t.TempDir(), "192.0.2.1")
		s := connectedSpec(1)
		s.Instance += fmt.Sprint("x", i)
		t.Cleanup(func() { must(t, driver.Destroy(context.Background(), s.Ref)) })
		group.Go(func() {
			made, err := driver.Create(t.Context(), s, nil)
			if err != nil {
				t.Error(err)
			}
			addresses[i] = made.IP
		})
	}
	group.Wait()
	slices.Sort(addresses)
	if len(slices.Compact(slices.Clone(addresses))) != machines || slices.Contains(addresses, "") {
		t.Errorf("addresses %q", addresses)
	}
}

// Nothing of an uplink is left when a machine has ended, however it did.
func TestUplinkEnds(t *testing.T) {
	state := t.TempDir()
	driver := uplinkDriver(t, state, "192.0.2.1")
	for _, test := range []struct {
		name string
		end  func(t *testing.T, s runtime.Spec)
	}{
		{"stop", func(t *testing.T, s runtime.Spec) { must(t, driver.Stop(t.Context(), s.Ref, 0)) }},
		{"destroy", func(t *testing.T, s runtime.Spec) { must(t, driver.Destroy(t.Context(), s.Ref)) }},
		{"its process dies", func(t *testing.T, s runtime.Spec) {
			killInit(t, state, s)
			must(t, driver.Stop(t.Context(), s.Ref, 0))
		}},
		{"its folder is taken away", func(t *testing.T, s runtime.Spec) {
			killInit(t, state, s)
			must(t, os.RemoveAll(filepath.Join(state, "native", s.Ref.String())))
			must(t, driver.Destroy(t.Context(), s.Ref))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := connectedSpec(2)
			makeMachine(t, driver, s)
			if got := leftOf(t, s.Ref); len(got) < 2 {
				t.Fatalf("of a running machine there is %q", got)
			}
			test.end(t, s)
			// The kernel removes a namespace's devices some time after its end.
			deadline := time.Now().Add(time.Minute)
			got := leftOf(t, s.Ref)
			for ; len(got) > 0 && time.Now().Before(deadline); got = leftOf(t, s.Ref) {
				time.Sleep(5 * time.Millisecond)
			}
			if len(got) > 0 {
				t.Errorf("left: %q", got)
			}
		})
	}
}

// An ordinary user can have no uplinks, and is told what to take in their place.
func TestUplinkRefused(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may have uplinks; see TestConformanceOrdinaryUser")
	}
	driver := newDriver(t)
	features, err := driver.Probe(t.Context())
	must(t, err)
	if slices.Contains(features.Networks, runtime.NetworkFull) || !strings.Contains(features.Refused[runtime.NetworkFull].Mend, "allowlist") {
		t.Errorf("networks %q, refused %+v", features.Networks, features.Refused)
	}
	s := connectedSpec(1)
	_, err = driver.Create(t.Context(), s, nil)
	if !errors.Is(err, runtime.ErrNotEnforceable) || !strings.Contains(runtime.Hint(err), "allowlist") {
		t.Errorf("%v; %s", err, runtime.Hint(err))
	}
	if left, err := driver.List(t.Context(), instance); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// killInit ends a machine's first process from outside.
func killInit(t *testing.T, state string, s runtime.Spec) {
	t.Helper()
	must(t, unix.Kill(processOf(t, state, s.Ref).PID, unix.SIGKILL))
}

// leftOf finds by name what the host has of a machine's uplink: its device, its
// fence, its rules in the host's own filter.
func leftOf(t *testing.T, ref runtime.Ref) []string {
	t.Helper()
	var left []string
	devices, err := net.Interfaces()
	must(t, err)
	for _, d := range devices {
		if alias, err := os.ReadFile("/sys/class/net/" + d.Name + "/ifalias"); err == nil && strings.TrimSpace(string(alias)) == ref.String() {
			left = append(left, "device "+d.Name)
		}
	}
	if netlinktest.HasTable(t, ref.String()) {
		left = append(left, "fence")
	}
	if rules, err := exec.Command("iptables", "-w", "-S", "FORWARD").Output(); err == nil && strings.Contains(string(rules), ref.String()) {
		left = append(left, "rules")
	}
	return left
}

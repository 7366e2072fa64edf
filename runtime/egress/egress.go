// Package egress decides what a VM with an allowlist may reach, and connects to
// it from the host.
//
// A connection is made in four steps, and refused at the first that does not
// hold: the name and port are on the list; the name is resolved; of its
// addresses those remain that are public, or on the list themselves; one of
// these very addresses is dialled. The name is never resolved a second time, so
// a name server that answers differently the next time gains nothing.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

const (
	// lookupTimeout bounds the resolution of one name.
	lookupTimeout = 10 * time.Second
	// dialTimeout bounds the attempt at one address.
	dialTimeout = 10 * time.Second
	// maxAttempts is how many addresses of one name are tried.
	maxAttempts = 4
)

// ErrRefused: the policy does not allow the connection. Every *Refusal wraps it.
var ErrRefused = errors.New("refused by the VM's network policy")

// Refusal is an ErrRefused with its reason, for a person.
type Refusal struct {
	Host   string // as the program named it
	Port   int
	Reason string // a sentence without a full stop that says what to list
}

func (r *Refusal) Error() string { return r.Reason }

// Unwrap makes errors.Is(err, ErrRefused) true.
func (r *Refusal) Unwrap() error { return ErrRefused }

// Dialer connects to what a policy allows. Nil functions stand for the host's
// own; the zero Dialer refuses everything. It may be used from several
// goroutines at once.
type Dialer struct {
	Policy Policy
	// Lookup resolves a name.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	// Own lists the addresses of this host, which are not public to a VM
	// whatever they are to others.
	Own func() ([]netip.Addr, error)
}

// Dial connects to a host, a name or an address, and a port. It fails with a
// *Refusal where the policy does not allow that, and otherwise with why the
// host could not be reached, in words for a person. The caller closes the
// connection.
func (d *Dialer) Dial(ctx context.Context, host string, port int) (net.Conn, error) {
	target, err := parseTarget(host, port)
	if err != nil {
		return nil, err
	}
	if !d.Policy.allows(target.pattern, port) {
		return nil, target.refuse("%s is not on this VM's allowlist: list %q to reach it", target, target.entry())
	}
	addresses, err := d.resolve(ctx, target)
	if err != nil {
		return nil, err
	}
	if addresses, err = d.reachable(target, addresses); err != nil {
		return nil, err
	}
	return dialOne(ctx, target, addresses)
}

// resolve finds the addresses of a target.
func (d *Dialer) resolve(ctx context.Context, t target) ([]netip.Addr, error) {
	if t.address.IsValid() {
		return []netip.Addr{t.address}, nil
	}
	lookup := d.Lookup
	if lookup == nil {
		lookup = LookupHost
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addresses, err := lookup(ctx, t.name)
	if err == nil && len(addresses) == 0 {
		err = &net.DNSError{Name: t.name, IsNotFound: true}
	}
	if err != nil {
		return nil, &unreachable{fmt.Sprintf("the host could not find %s: %s", t.name, inWords(err)), err}
	}
	for i, a := range addresses {
		addresses[i] = a.Unmap()
	}
	return addresses, nil
}

// LookupHost resolves a name as this host does: Dialer's way where it has none.
func LookupHost(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// reachable is what remains of a target's addresses.
func (d *Dialer) reachable(t target, addresses []netip.Addr) ([]netip.Addr, error) {
	own := d.Own
	if own == nil {
		own = hostAddresses
	}
	ours, err := own()
	if err != nil {
		return nil, fmt.Errorf("the host's own addresses are not known: %w", err)
	}
	var reason string
	kept := slices.DeleteFunc(slices.Clone(addresses), func(a netip.Addr) bool {
		if d.Policy.allows(a.String(), t.port) {
			return false
		}
		what := special(a)
		if what == "" && slices.Contains(ours, a) {
			what = "an address of the host itself"
		}
		if what != "" && reason == "" {
			reason = fmt.Sprintf("%s is %s, which is %s: list %q too to reach it", t.name, a, what, entryOf(a.String(), t.port))
		}
		return what != ""
	})
	if len(kept) == 0 {
		return nil, t.refuse("%s", reason)
	}
	return kept, nil
}

func hostAddresses() ([]netip.Addr, error) {
	networks, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addresses []netip.Addr
	for _, n := range networks {
		if prefix, err := netip.ParsePrefix(n.String()); err == nil {
			addresses = append(addresses, prefix.Addr().Unmap())
		}
	}
	return addresses, nil
}

// dialOne connects to the first address that answers.
func dialOne(ctx context.Context, t target, addresses []netip.Addr) (net.Conn, error) {
	var last error
	for _, a := range addresses[:min(len(addresses), maxAttempts)] {
		dialer := net.Dialer{Timeout: dialTimeout}
		conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(a, uint16(t.port)).String())
		if err == nil {
			return conn, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, &unreachable{fmt.Sprintf("the host could not reach %s: %s", t, inWords(last)), last}
}

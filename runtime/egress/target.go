package egress

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// target is what a program wants to reach.
type target struct {
	name    string     // for people: as the program wrote it, in lower case
	pattern string     // as rules compare it
	address netip.Addr // set when the program named an address
	port    int
}

// parseTarget reads what a program asks for. What is neither a name nor an
// address is refused: a resolver might take it for something.
func parseTarget(host string, port int) (target, error) {
	t := target{name: host, port: port}
	if port < 1 || port > maxPort {
		return t, t.refuse("there is no port %d", port)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" {
			return t, t.refuse("an address with a zone, such as %s, cannot be reached", quote(host))
		}
		t.address = a.Unmap()
		t.pattern = t.address.String()
		t.name = t.pattern
		return t, nil
	}
	name, reason := canonicalName(host)
	if reason != "" {
		return t, t.refuse("%s cannot be reached: %s", quote(host), reason)
	}
	t.name, t.pattern = name, name
	return t, nil
}

// String is the target as a program would write it.
func (t target) String() string { return net.JoinHostPort(t.name, strconv.Itoa(t.port)) }

// entry is what to put on a list so that the target is on it.
func (t target) entry() string { return entryOf(t.pattern, t.port) }

func entryOf(host string, port int) string {
	if port == 80 || port == 443 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func (t target) refuse(format string, args ...any) *Refusal {
	return &Refusal{Host: t.name, Port: t.port, Reason: fmt.Sprintf(format, args...)}
}

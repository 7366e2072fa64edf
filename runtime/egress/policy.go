package egress

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	maxPort    = 1<<16 - 1
	maxEntries = 256
	maxName    = 253 // RFC 1035 2.3.4, in the form with dots
	maxLabel   = 63
)

// Policy is a checked allowlist. The zero Policy allows nothing.
type Policy struct{ rules []rule }

// rule is one entry of the list.
type rule struct {
	host string // lower case; an address as netip writes it
	// below is set for *.host: any name below host, at any depth, but not host
	// itself.
	below bool
	port  int // 0 = the ports of the web, 80 and 443
}

// EntryError says what is wrong with an entry of an allowlist.
type EntryError struct {
	Entry  string
	Reason string // continues "the entry …: "
}

func (e *EntryError) Error() string { return quote(e.Entry) + ": " + e.Reason }

// Parse checks an allowlist. An entry is a domain (example.com), all domains
// below one (*.example.com), or an IP address, each with or without a port
// (example.com:8443, [2001:db8::1]:8080). Without one it stands for ports 80 and
// 443. It fails with *EntryError for the first entry that is none of these.
func Parse(entries []string) (Policy, error) {
	if len(entries) > maxEntries {
		return Policy{}, fmt.Errorf("it has %d entries; at most %d are allowed", len(entries), maxEntries)
	}
	p := Policy{rules: make([]rule, 0, len(entries))}
	for _, entry := range entries {
		r, reason := parseRule(entry)
		if reason != "" {
			return Policy{}, &EntryError{entry, reason}
		}
		p.rules = append(p.rules, r)
	}
	return p, nil
}

// parseRule reads an entry, or says what is wrong with it.
func parseRule(entry string) (r rule, reason string) {
	switch {
	case entry == "":
		return r, "it is empty"
	case strings.Contains(entry, "://"), strings.Contains(entry, "/"):
		return r, "it is no domain: write example.com or example.com:8443, without scheme and path"
	case entry == "*":
		return r, "it allows every domain: use the network mode full for that"
	}
	host, port, reason := cutPort(entry)
	if reason != "" {
		return r, reason
	}
	r.port = port
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" {
			return r, "an address with a zone cannot be listed"
		}
		r.host = a.Unmap().String()
		return r, ""
	}
	host, r.below = strings.CutPrefix(host, "*.")
	r.host, reason = canonicalName(host)
	return r, reason
}

// cutPort takes an entry apart; port 0 means that it has none.
func cutPort(entry string) (host string, port int, reason string) {
	if _, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		return strings.Trim(entry, "[]"), 0, ""
	}
	host, text, err := net.SplitHostPort(entry)
	if err != nil {
		if strings.Contains(entry, ":") {
			return "", 0, "write it as example.com:8443 or [2001:db8::1]:8443"
		}
		return entry, 0, ""
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 1 || port > maxPort || text != strconv.Itoa(port) {
		return "", 0, fmt.Sprintf("a port is a number from 1 to %d", maxPort)
	}
	return host, port, ""
}

// canonicalName checks a domain name and writes it in lower case without the
// final dot, or says what is wrong with it.
func canonicalName(name string) (canonical, reason string) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" || len(name) > maxName {
		return "", fmt.Sprintf("a domain name has 1 to %d characters", maxName)
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "*" {
			return "", "an asterisk stands only for all that is below a domain: *.example.com"
		}
		if len(label) == 0 || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, nameChars) != "" {
			return "", "it is no domain name: its parts have 1 to 63 letters, digits, dashes and underscores; other scripts are written as xn--…"
		}
	}
	// Such as 127.1 and 0x7f.1, which some resolvers take for 127.0.0.1.
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return "", "it is neither a domain name nor an IP address written in full"
	}
	return name, ""
}

const nameChars = "abcdefghijklmnopqrstuvwxyz0123456789-_"

// Allows reports whether the list has a host, a name or an address, at a port.
// What a name stands for is another question, see Dialer.
func (p Policy) Allows(host string, port int) bool {
	t, err := parseTarget(host, port)
	return err == nil && p.allows(t.pattern, port)
}

// Entry is what to put on a list to have a host at a port on it.
func Entry(host string, port int) string { return entryOf(host, port) }

// allows reports whether an entry covers a host, in its canonical form, and a
// port.
func (p Policy) allows(host string, port int) bool {
	return slices.ContainsFunc(p.rules, func(r rule) bool { return r.covers(host, port) })
}

func (r rule) covers(host string, port int) bool {
	if port != r.port && (r.port != 0 || port != 80 && port != 443) {
		return false
	}
	if r.below {
		return strings.HasSuffix(host, "."+r.host)
	}
	return host == r.host
}

// quote shows what somebody typed, shortened: it may be anything.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}

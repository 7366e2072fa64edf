package egress

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	tests := []struct{ entry, want string }{
		{"", "empty"},
		{"*", "network mode full"},
		{"https://example.com", "without scheme"},
		{"example.com/simple", "without scheme"},
		{"example.com:", "a port is a number"},
		{"example.com:0", "a port is a number"},
		{"example.com:65536", "a port is a number"},
		{"example.com:080", "a port is a number"},
		{"example.com:http", "a port is a number"},
		{"a:b:c", "[2001:db8::1]:8443"},
		{"-example.com", "no domain name"},
		{"example..com", "no domain name"},
		{".example.com", "no domain name"},
		{"exa mple.com", "no domain name"},
		{"exämple.com", "no domain name"},
		{"example.com\n", "no domain name"},
		{"a.*.example.com", "asterisk"},
		{"*.*.example.com", "asterisk"},
		{"*.", "1 to 253"},
		{"*.127.0.0.1", "neither"},
		{"127.1", "neither"},
		{"2130706433", "neither"},
		{"0x7f000001", "neither"},
		{"10.0.0.0x1", "neither"},
		{"fe80::1%eth0", "zone"},
		{strings.Repeat("a", 64) + ".com", "no domain name"},
		{strings.Repeat("a.", 200) + "com", "1 to 253"},
	}
	for _, test := range tests {
		_, err := Parse([]string{"fine.example", test.entry})
		var wrong *EntryError
		if !errors.As(err, &wrong) || wrong.Entry != test.entry {
			t.Errorf("%q: %v", test.entry, err)
			continue
		}
		if !strings.Contains(wrong.Reason, test.want) {
			t.Errorf("%q: %q does not say %q", test.entry, wrong.Reason, test.want)
		}
	}
	if _, err := Parse(make([]string, maxEntries+1)); err == nil {
		t.Error("a list without end is taken")
	}
}

func TestAllows(t *testing.T) {
	p, err := Parse([]string{
		"Example.COM", "*.wild.example", "port.example:8443", "dot.example.",
		"10.1.2.3", "[2001:DB8::1]:8080", "2001:db8::2", "::ffff:10.9.9.9",
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		host string
		port int
		want bool
	}{
		{"example.com", 443, true},
		{"example.com", 80, true},
		{"example.com.", 443, true},
		{"EXAMPLE.com", 443, true},
		{"example.com", 22, false},
		{"example.com", 8443, false},
		{"www.example.com", 443, false},
		{"notexample.com", 443, false},
		{"example.com.evil.example", 443, false},
		{"a.wild.example", 443, true},
		{"a.b.wild.example", 80, true},
		{"wild.example", 443, false},
		{"awild.example", 443, false},
		{"port.example", 8443, true},
		{"port.example", 443, false},
		{"dot.example", 443, true},
		{"10.1.2.3", 443, true},
		{"::ffff:10.1.2.3", 443, true},
		{"10.1.2.4", 443, false},
		{"10.9.9.9", 80, true},
		{"2001:db8::1", 8080, true},
		{"2001:db8:0:0::1", 8080, true},
		{"2001:db8::1", 443, false},
		{"2001:db8::2", 443, true},
	}
	for _, test := range tests {
		target, err := parseTarget(test.host, test.port)
		if err != nil {
			t.Errorf("%s: %v", test.host, err)
			continue
		}
		if got := p.allows(target.pattern, test.port); got != test.want {
			t.Errorf("%s:%d: %v", test.host, test.port, got)
		}
	}
	if (Policy{}).allows("example.com", 443) {
		t.Error("the zero policy allows something")
	}
}

// What a rule says in its canonical form, it says again when that is parsed.
func FuzzParse(f *testing.F) {
	for _, entry := range []string{"example.com", "*.a.b:1", "[::1]:80", "::1", "1.2.3.4:5", "[", "a]:1", "x%y"} {
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		r, reason := parseRule(entry)
		if reason != "" {
			return
		}
		text := r.host
		if r.below {
			text = "*." + text
		}
		if r.port != 0 {
			if strings.Contains(text, ":") {
				text = "[" + text + "]"
			}
			text = fmt.Sprintf("%s:%d", text, r.port)
		}
		again, reason := parseRule(text)
		if reason != "" || again != r {
			t.Errorf("%q is %+v, then %+v: %s", entry, r, again, reason)
		}
	})
}

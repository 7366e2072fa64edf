//go:build linux

package native

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseResolvConf(t *testing.T) {
	const host = `# made by hand
nameserver 127.0.0.53
nameserver 192.0.2.53   
nameserver fe80::1%eth0
nameserver 2001:db8::53
nameserver nowhere
nameserver 0.0.0.0
nameserver 169.254.169.254
search example.org example.net
options edns0 ndots:2
sortlist 10.0.0.0
nameserver
`
	got := parseResolvConf(host)
	var servers []string
	for _, s := range got.servers {
		servers = append(servers, s.String())
	}
	if diff := cmp.Diff([]string{"192.0.2.53", "169.254.169.254"}, servers); diff != "" {
		t.Error(diff)
	}
	const want = "nameserver 192.0.2.53\nnameserver 169.254.169.254\nsearch example.org example.net\noptions edns0 ndots:2\n"
	if diff := cmp.Diff(want, got.text); diff != "" {
		t.Error(diff)
	}
}

// The file of a resolver on the host's loopback gives way to the one that names
// the servers behind it.
func TestReadResolvConf(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	stub := file("stub", "nameserver 127.0.0.53\nsearch stub.example\n")
	behind := file("behind", "nameserver 192.0.2.1\n")
	for _, test := range []struct {
		paths []string
		want  string
	}{
		{[]string{stub, behind}, "nameserver 192.0.2.1\n"},
		{[]string{behind, stub}, "nameserver 192.0.2.1\n"},
		{[]string{filepath.Join(dir, "none"), stub}, "search stub.example\n"},
		{nil, ""},
	} {
		if got := readResolvConf(test.paths); got.text != test.want {
			t.Errorf("%q: %q", test.paths, got.text)
		}
	}
}

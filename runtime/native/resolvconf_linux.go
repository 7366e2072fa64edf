package native

import (
	"net/netip"
	"os"
	"strings"
)

// Where a host says which name servers it asks. The first of systemd-resolved's
// files names itself, at an address of the loopback; the second names the servers
// that it asks in turn.
var resolvConfs = []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}

// resolvConf is what a machine with an uplink is told about names: the first of
// the host's files that names a server which can be reached from outside.
type resolvConf struct {
	servers []netip.Addr
	text    string
}

func readResolvConf(paths []string) resolvConf {
	var best resolvConf
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if best = parseResolvConf(string(raw)); len(best.servers) > 0 {
			break
		}
	}
	return best
}

// parseResolvConf keeps of a file as in resolv.conf(5) what holds in a machine
// too: servers of IPv4 that are not on the host's loopback, domains to search, and
// options.
func parseResolvConf(text string) resolvConf {
	var kept resolvConf
	var lines strings.Builder
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			server, err := netip.ParseAddr(words[1])
			if err != nil || !server.Is4() || server.IsLoopback() || server.IsUnspecified() {
				continue
			}
			kept.servers = append(kept.servers, server)
		case "search", "domain", "options":
		default:
			continue
		}
		lines.WriteString(strings.Join(words, " ") + "\n")
	}
	kept.text = lines.String()
	return kept
}

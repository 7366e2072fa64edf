package egress

import "net/netip"

// specials are the ranges that are not the public Internet, after the IANA
// registries of special-purpose addresses for IPv4 and IPv6, with what a person
// calls them. The first that matches names an address.
var specials = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("127.0.0.0/8"), loopback},
	{netip.MustParsePrefix("::1/128"), loopback},
	{netip.MustParsePrefix("169.254.169.254/32"), metadata},
	{netip.MustParsePrefix("100.100.100.200/32"), metadata},
	{netip.MustParsePrefix("168.63.129.16/32"), metadata}, // a public address that one cloud uses for it
	{netip.MustParsePrefix("fd00:ec2::/32"), metadata},
	{netip.MustParsePrefix("169.254.0.0/16"), linkLocal},
	{netip.MustParsePrefix("fe80::/10"), linkLocal},
	{netip.MustParsePrefix("10.0.0.0/8"), private},
	{netip.MustParsePrefix("172.16.0.0/12"), private},
	{netip.MustParsePrefix("192.168.0.0/16"), private},
	{netip.MustParsePrefix("100.64.0.0/10"), private}, // shared by carriers
	{netip.MustParsePrefix("fc00::/7"), private},
	{netip.MustParsePrefix("fec0::/10"), private}, // site-local, as it was once
	{netip.MustParsePrefix("0.0.0.0/8"), reserved},
	{netip.MustParsePrefix("192.0.0.0/24"), reserved},
	{netip.MustParsePrefix("192.0.2.0/24"), reserved},
	{netip.MustParsePrefix("192.88.99.0/24"), reserved},
	{netip.MustParsePrefix("198.18.0.0/15"), reserved},
	{netip.MustParsePrefix("198.51.100.0/24"), reserved},
	{netip.MustParsePrefix("203.0.113.0/24"), reserved},
	{netip.MustParsePrefix("224.0.0.0/4"), reserved}, // multicast
	{netip.MustParsePrefix("240.0.0.0/4"), reserved},
	{netip.MustParsePrefix("::/96"), reserved},           // unspecified, and IPv4 within IPv6 as it was once
	{netip.MustParsePrefix("::ffff:0:0:0/96"), reserved}, // IPv4 within IPv6, translated
	{netip.MustParsePrefix("64:ff9b::/96"), reserved},    // the same, by NAT64: any IPv4 address hides in it
	{netip.MustParsePrefix("64:ff9b:1::/48"), reserved},
	{netip.MustParsePrefix("100::/64"), reserved},
	{netip.MustParsePrefix("2001::/23"), reserved},     // Teredo and other protocols
	{netip.MustParsePrefix("2001:db8::/32"), reserved}, // documentation
	{netip.MustParsePrefix("2002::/16"), reserved},     // 6to4: any IPv4 address hides in it
	{netip.MustParsePrefix("3fff::/20"), reserved},
	{netip.MustParsePrefix("5f00::/16"), reserved},
	{netip.MustParsePrefix("ff00::/8"), reserved}, // multicast
}

const (
	loopback  = "the host's own loopback"
	metadata  = "the metadata service of a cloud"
	linkLocal = "a link-local address"
	private   = "an address of a private network"
	reserved  = "an address that is not of the public Internet"
)

// special says what an address is when it is not one of the public Internet.
func special(a netip.Addr) string {
	for _, s := range specials {
		if s.prefix.Contains(a) {
			return s.what
		}
	}
	return ""
}

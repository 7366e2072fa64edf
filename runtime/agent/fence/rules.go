package fence

import (
	"errors"
	"fmt"
	"net/netip"
)

// How the names of the host's devices begin that machines are behind: a device
// for one machine, and a bridge for several. Machines do not reach what is behind
// either.
const (
	MachineDevice = "itvm"
	MachineBridge = "itbr"
)

// Blocked are out of reach for every machine with a network: link-local addresses,
// those of most metadata services among them, and the other addresses of such
// services. What answers there takes who asks for the host.
var Blocked = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fd00:ec2::/32"),
}

// Rules of one fence.
type Rules struct {
	// Name of the table. Raising another of the same name replaces it.
	Name string `json:"name"`
	// Device is the host's end of what the machines are behind.
	Device string `json:"device"`
	// Source, when valid, is the one address that packets may come from. It is
	// then translated into the host's own on the way out, and of IPv6 nothing
	// passes.
	Source netip.Addr `json:"source,omitzero"`
	// Resolvers are name servers, which may be asked although their addresses are
	// blocked or the host's own.
	Resolvers []netip.Addr `json:"resolvers,omitempty"`
}

const (
	maxName   = 255 // bytes; NFT_NAME_MAXLEN less its NUL
	maxDevice = 15  // bytes; IFNAMSIZ less its NUL
)

func (r Rules) check() error {
	var wrong []error
	if r.Name == "" || len(r.Name) > maxName {
		wrong = append(wrong, fmt.Errorf("a fence cannot be named %q", r.Name))
	}
	if r.Device == "" || len(r.Device) > maxDevice {
		wrong = append(wrong, fmt.Errorf("no device is named %q", r.Device))
	}
	if r.Source.IsValid() && !r.Source.Is4() {
		wrong = append(wrong, fmt.Errorf("%s cannot be translated: it is no IPv4 address", r.Source))
	}
	return errors.Join(wrong...)
}

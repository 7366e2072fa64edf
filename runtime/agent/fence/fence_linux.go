package fence

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/netlink"
)

// chain is a list of rules. One with a kind stands in packets' way, at a hook; one
// without is gone to from others.
type chain struct {
	name, kind string
	hook       uint32
	priority   int32
	rules      []rule
}

// Where our chains stand. Blocking may come at any time; it comes shortly before
// the host's own filter (0), so that its counters tell of what passed. Addresses
// are translated where everybody does it.
const (
	filterPriority = -10
	sourcePriority = 100 // NF_IP_PRI_NAT_SRC
)

const (
	refusing = "refuse" // the chain that refuses what comes to it
	dnsPort  = 53
)

// Raise puts up a fence, whole or not at all, in place of one of the same name.
// It takes CAP_NET_ADMIN in the network namespace.
func Raise(r Rules) error {
	if err := r.check(); err != nil {
		return err
	}
	requests := []netlink.Message{
		// Made first, so that removing it cannot fail.
		table(unix.NFT_MSG_NEWTABLE, r.Name), table(unix.NFT_MSG_DELTABLE, r.Name), table(unix.NFT_MSG_NEWTABLE, r.Name),
	}
	for _, c := range r.chains() {
		requests = append(requests, c.message(r.Name))
		for _, rule := range c.rules {
			requests = append(requests, c.rule(r.Name, rule))
		}
	}
	if err := filter(requests...); err != nil {
		return fmt.Errorf("raise the fence %s: %w", r.Name, err)
	}
	return nil
}

// Lower removes a fence; one that is not there is no error, nor is a kernel that
// has no fences.
func Lower(name string) error {
	err := filter(table(unix.NFT_MSG_DELTABLE, name))
	if err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil
	}
	return fmt.Errorf("lower the fence %s: %w", name, err)
}

// chains are the whole fence.
func (r Rules) chains() []chain {
	chains := []chain{
		{name: refusing, rules: []rule{reset(), prohibit()}},
		{name: "forward", kind: "filter", hook: unix.NF_INET_FORWARD, priority: filterPriority, rules: r.passing()},
		{name: "input", kind: "filter", hook: unix.NF_INET_LOCAL_IN, priority: filterPriority, rules: r.toHost()},
	}
	if r.Source.IsValid() {
		chains = append(chains, chain{
			name: "postrouting", kind: "nat", hook: unix.NF_INET_POST_ROUTING, priority: sourcePriority,
			rules: []rule{join(source(unix.NFT_CMP_EQ, r.Source), masquerade())},
		})
	}
	return chains
}

// passing is for what goes through the host, to and from the machines.
func (r Rules) passing() []rule {
	machine := from(r.Device)
	var rules []rule
	if r.Source.IsValid() {
		rules = append(rules,
			join(machine, family(unix.NFPROTO_IPV6), refuse()),
			join(machine, source(unix.NFT_CMP_NEQ, r.Source), refuse()))
	}
	rules = append(rules, r.resolving()...)
	// Such as a port of a container that the host publishes at its own address.
	rules = append(rules, join(machine, redirected(), refuse()))
	for _, network := range Blocked {
		rules = append(rules, join(machine, into(network), refuse()))
	}
	for _, peer := range []string{MachineDevice, MachineBridge} {
		rules = append(rules, join(machine, toAny(peer), refuse()))
	}
	return append(rules,
		join(to(r.Device), known(), accept()),
		join(to(r.Device), begun(), refuse()),
		join(to(r.Device), drop()))
}

// toHost is for what ends at an address of the host's own. Answers to what the
// host itself asked of a machine pass, and what machines of IPv6 find the host by.
func (r Rules) toHost() []rule {
	rules := append([]rule{join(from(r.Device), known(), accept())}, r.resolving()...)
	for _, kind := range neighbourDiscovery {
		rules = append(rules, join(from(r.Device), icmp6(kind), accept()))
	}
	return append(rules, join(from(r.Device), refuse()))
}

// resolving lets questions to the name servers pass.
func (r Rules) resolving() []rule {
	var rules []rule
	for _, server := range r.Resolvers {
		server = server.Unmap()
		one := netip.PrefixFrom(server, server.BitLen())
		for _, protocol := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			rules = append(rules, join(from(r.Device), into(one), port(protocol, dnsPort), accept()))
		}
	}
	return rules
}

// filter has the packet filter do all requests or none.
func filter(requests ...netlink.Message) error {
	conn, err := netlink.Open(unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	begin := netlink.Message{Type: unix.NFNL_MSG_BATCH_BEGIN, Body: header(unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES)}
	end := netlink.Message{Type: unix.NFNL_MSG_BATCH_END, Body: header(unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES)}
	return errors.Join(conn.Batch(begin, end, requests...), conn.Close())
}

// header is a struct nfgenmsg.
func header(family byte, resource uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, resource)
}

// request is one of the nftables subsystem, on tables of IPv4 and IPv6 together.
func request(kind, flags uint16, attributes netlink.Attributes) netlink.Message {
	return netlink.Message{
		Type: unix.NFNL_SUBSYS_NFTABLES<<8 | kind, Flags: flags,
		Body: append(header(unix.NFPROTO_INET, 0), attributes...),
	}
}

func table(kind uint16, name string) netlink.Message {
	var a netlink.Attributes
	a.String(unix.NFTA_TABLE_NAME, name)
	var flags uint16
	if kind == unix.NFT_MSG_NEWTABLE {
		flags = unix.NLM_F_CREATE
	}
	return request(kind, flags, a)
}

func (c chain) message(table string) netlink.Message {
	var hook, a netlink.Attributes
	a.String(unix.NFTA_CHAIN_TABLE, table)
	a.String(unix.NFTA_CHAIN_NAME, c.name)
	if c.kind != "" {
		hook.Network32(unix.NFTA_HOOK_HOOKNUM, c.hook)
		hook.Network32(unix.NFTA_HOOK_PRIORITY, uint32(c.priority))
		a.String(unix.NFTA_CHAIN_TYPE, c.kind)
		a.Nest(unix.NFTA_CHAIN_HOOK, hook)
		a.Network32(unix.NFTA_CHAIN_POLICY, codeAccept)
	}
	return request(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, a)
}

func (c chain) rule(table string, r rule) netlink.Message {
	var a netlink.Attributes
	a.String(unix.NFTA_RULE_TABLE, table)
	a.String(unix.NFTA_RULE_CHAIN, c.name)
	a.Nest(unix.NFTA_RULE_EXPRESSIONS, r.encode())
	return request(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, a)
}

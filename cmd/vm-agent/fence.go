//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/fence"
	"github.com/itechsmart/vm/runtime/agent/netlink"
)

// fenceCommand puts up a fence or takes it down, in the network namespace that it
// is started in: that of an engine's host.
func fenceCommand(args []string) error {
	flags := flag.NewFlagSet("fence", flag.ContinueOnError)
	encoded := flags.String("rules", "", "fence.Rules as JSON")
	if len(args) == 0 {
		return errUsage
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	var rules fence.Rules
	if err := json.Unmarshal([]byte(*encoded), &rules); err != nil {
		return fmt.Errorf("decode the rules: %w", err)
	}
	switch args[0] {
	case "raise":
		rules.Resolvers = append(rules.Resolvers, nameServers("/etc/resolv.conf")...)
		return fence.Raise(rules)
	case "lower":
		return lowerUnused(rules)
	}
	return errors.New("a fence is raised or lowered")
}

// lowerUnused takes a fence down unless somebody has made the device anew, and the
// fence is his now.
func lowerUnused(rules fence.Rules) error {
	conn, err := netlink.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	_, err = conn.Link(rules.Device)
	_ = conn.Close()
	if !errors.Is(err, unix.ENODEV) {
		return err
	}
	return fence.Lower(rules.Name)
}

// nameServers are those that a file as in resolv.conf(5) names. Containers on the
// engine's bridges ask them by way of the engine.
func nameServers(path string) []netip.Addr {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var servers []netip.Addr
	for line := range strings.Lines(string(raw)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil && !a.IsLoopback() && a.Zone() == "" {
			servers = append(servers, a)
		}
	}
	return servers
}

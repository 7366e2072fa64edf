// Package netlink speaks the kernel's netlink protocol, see netlink(7), as far as
// the networks of machines need it. The agent uses it too, which has no room for
// a library of every family.
package netlink

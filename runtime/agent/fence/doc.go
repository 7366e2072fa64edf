// Package fence puts the kernel's packet filter around machines that have a
// network: from behind a device of the host they reach what the host reaches, but
// neither the host itself nor its surroundings that trust it, nor each other; and
// nobody begins a connection to them from outside.
//
// A fence is one table of nftables with a name of its own, in the network
// namespace of whoever raises it. It does not depend on the machines' co-operation
// and stays when the process that raised it ends.
package fence

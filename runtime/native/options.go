// Package native makes machines of Linux's own parts, inside this process's
// reach and without an engine: namespaces, a read-only view of the host's
// toolchains or an unpacked image below an overlay, cgroups, a system call
// filter. It works as root, and as an ordinary user where the kernel lets one
// make user namespaces.
//
// Everything of a machine is in one folder below the state folder (see
// layout), so that any process finds, stops and removes what another made. The
// machine's mounts exist only in its own mount namespace and go with it.
package native

// Options of the driver.
type Options struct {
	// StateDir is where machines, images and the guest program are kept. It is
	// made when missing, for this user alone.
	StateDir string
	// Path is the search path whose programs machines without an image get,
	// besides those of the system folders. Empty = this process's PATH.
	Path string
	// Agent is the guest program to be used in place of the one that is carried
	// inside this one.
	Agent string
	// ResolvConf names, as in resolv.conf(5), the name servers that machines with
	// the network mode full ask. Empty = the host's own.
	ResolvConf string
}

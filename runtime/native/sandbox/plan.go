// Package sandbox is what a machine of the native driver does to itself: started
// in namespaces of its own, it assembles its file system, gives up every
// privilege and becomes the guest.
//
// The driver (package native) and the sandbox talk over inherited descriptors:
//
//	3  host → sandbox  the Plan, as JSON in a file
//	4  host → sandbox  the listening socket of the guest
//	5  host ⇄ sandbox  one byte "go" from the host, once user ids are mapped;
//	                   then Messages from the sandbox, the last of them Ready or
//	                   Error, and end of file
//	6  host → sandbox  a pipe with a name, through which any process of the host
//	                   tells the guest to Stop or to Die. A signal would not do:
//	                   where the machine has one user, its programs could send it.
//	7…                 detached mounts, and then the files that lead into the
//	                   control group of the programs, which the plan names by
//	                   number
package sandbox

import (
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// Descriptors that the driver passes, and the bytes that it sends: on the control
// stream that the sandbox may go on, through the stop pipe that the guest is to
// end its programs and then itself, or that everything is to end at once.
const (
	PlanFD     = 3
	ListenerFD = 4
	ControlFD  = 5
	StopFD     = 6
	MountFD    = 7 // the first of the detached mounts

	Go   = 'g'
	Stop = 's'
	Die  = 'd'
)

// Plan of a machine.
type Plan struct {
	HostName string `json:"hostName"`
	// BecomeRoot makes the process user 0 of its namespace first, and gives the
	// guest what it needs to run programs as the ordinary user. Without it the
	// namespace knows one user, and the guest is that one.
	BecomeRoot bool    `json:"becomeRoot"`
	Root       Mount   `json:"root"`
	Mounts     []Mount `json:"mounts"` // in the order in which they are attached
	// Agent is the program itself, in a mount where nobody can change it.
	Agent    Mount  `json:"agent"`
	ShmBytes int64  `json:"shmBytes"` // size of /dev/shm
	Threads  uint64 `json:"threads"`  // RLIMIT_NPROC; 0 = as inherited
	// Filter is the seccomp program, struct sock_filter after struct sock_filter
	// in the machine's byte order.
	Filter []byte       `json:"filter"`
	Guest  guest.Config `json:"guest"`

	// Remove and Measure make it no machine at all, but an errand among files
	// that only the namespace's root may touch: remove the tree, or report its
	// size, then end.
	Remove  string `json:"remove,omitempty"`
	Measure string `json:"measure,omitempty"`
}

// Mount is one mount of the machine, from a detached mount that the driver made
// (FD), from folders to be stacked (Overlay), or from a path to be bound
// read-only (Source).
type Mount struct {
	Target  string   `json:"target"` // absolute, inside the machine
	FD      int      `json:"fd,omitempty"`
	Overlay *Overlay `json:"overlay,omitempty"`
	Source  string   `json:"source,omitempty"`
}

// Overlay of host folders, mounted by the sandbox itself.
type Overlay struct {
	Lower []string `json:"lower"` // the uppermost first
	Upper string   `json:"upper"`
	Work  string   `json:"work"`
}

// Message from the sandbox to the driver. One field is set.
type Message struct {
	Step  string `json:"step,omitempty"`  // what has just been done, for the boot log
	Error string `json:"error,omitempty"` // why there will be no machine
	Ready bool   `json:"ready,omitempty"` // the guest answers
	Bytes int64  `json:"bytes,omitempty"` // the answer to Measure
}

// Package runtime is the contract between the VM pool and the things that make VMs.
//
// A driver makes a machine and opens one byte stream to the agent inside it
// (package agent); everything that happens inside the machine goes over that
// stream. So executions behave the same whatever the machine is made of.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Sentinels that drivers wrap with %w. What a user should do about it travels
// in a Hint.
var (
	// ErrUnavailable: the engine, image or tool that the driver needs is not here.
	ErrUnavailable = errors.New("runtime unavailable")
	// ErrNotEnforceable: a limit or policy in the Spec cannot be held here.
	ErrNotEnforceable = errors.New("not enforceable")
	// ErrNoMachine: there is no machine of that Ref.
	ErrNoMachine = errors.New("no such machine")
	// ErrNotRunning: the machine exists and does not run.
	ErrNotRunning = errors.New("machine is not running")
	// ErrInvalidSpec: the Spec itself is wrong; no machine would take it.
	ErrInvalidSpec = errors.New("invalid machine specification")
)

// Ref names one machine for ever: the database that owns it and the row in it.
// Everything that a driver makes outside the process is named or labelled after
// it, so that a machine is found again from its row alone, also when the
// process that was making it died half-way.
type Ref struct {
	// Instance identifies the database, from db.Store.Instance: lower-case
	// letters and digits, 1 to 32 of them.
	Instance string
	// VM is the row's id.
	VM int64
}

// String returns the machine's name on its engine.
func (r Ref) String() string { return fmt.Sprintf("itechsmart-%s-%d", r.Instance, r.VM) }

// Limits of one machine, all of them above zero.
type Limits struct {
	CPU       float64 // cores
	MemoryMiB int     // RAM; swap beyond it is never given
	DiskMiB   int     // what the machine may write, over its image
	Pids      int     // processes and threads of the workload
}

// NetworkMode says how far a machine reaches.
type NetworkMode string

// Network modes.
const (
	NetworkNone NetworkMode = "none" // loopback alone: no route, no name resolution
	// NetworkAllowlist is as NetworkNone, but that the guest in the machine offers
	// a proxy to its programs, which goes out through clients of the agent (see
	// agent.Client.OfferDial). What is let through is theirs to decide.
	NetworkAllowlist NetworkMode = "allowlist"
	NetworkFull      NetworkMode = "full" // whatever the host reaches
)

// Network policy of one machine.
type Network struct {
	Mode  NetworkMode `json:"mode"`
	Allow []string    `json:"allow,omitempty" doc:"with allowlist: domains (example.com), all below one (*.example.com) or IP addresses, each with :port where it is neither 80 nor 443"`
}

// Strength says how hard a limit is held.
type Strength string

// Strengths, from hardest to none.
const (
	Hard    Strength = "hard"    // the kernel or the engine refuses to go beyond it
	Watched Strength = "watched" // measured at intervals and acted upon: it can be exceeded for a moment
	None    Strength = "none"    // not held
)

// Enforcement says how hard each limit of a machine is held.
type Enforcement struct {
	CPU     Strength `json:"cpu"`
	Memory  Strength `json:"memory"`
	Disk    Strength `json:"disk"`
	Pids    Strength `json:"pids"`
	Network Strength `json:"network"`
}

// Spec is what a machine is made from.
type Spec struct {
	Ref
	Name     string // the user's name for it; also its host name
	User     string // owner, for labels
	Language string // language id without version, for labels; may be empty
	// Image is an OCI image reference. Empty asks for the host's own
	// toolchains, read-only, of a driver whose Features say HostToolchains.
	Image     string
	Limits    Limits
	Network   Network
	Isolation string            // engine runtime, such as "runsc"; empty = the driver's default
	Env       map[string]string // environment of every execution
	Labels    map[string]string // the user's own labels
}

// State of a machine as its engine sees it.
type State string

// States.
const (
	Running State = "running"
	Stopped State = "stopped"
	// Partial: its maker died or is still at work; it can only be destroyed.
	Partial State = "partial"
)

// Machine is what an engine knows of one machine.
type Machine struct {
	Ref
	State       State
	ID          string // the engine's own id: container id, machine folder …
	Image       string // the image's reference, or "host"
	IP          string // empty without a network
	Enforcement Enforcement
	Owner       Owner // who made it
}

// Owner identifies the process that made something, so that a sweep can tell a
// dead process's leftovers from a neighbour's work in progress.
type Owner struct {
	Host  string // host name and boot id: a pid means nothing elsewhere or after a reboot
	PID   int
	Start string // the process's start time as the kernel counts it; distinguishes a reused pid
}

// Features is what a driver can do on this machine, found out by trying.
type Features struct {
	Version        string               // of the engine or kernel
	Enforcement    Enforcement          // what a machine of default limits gets
	Networks       []NetworkMode        // modes that it can give
	Refused        map[NetworkMode]Note // modes that it cannot give here, though elsewhere, and why
	Isolations     []string             // values of Spec.Isolation that it takes
	HostToolchains bool                 // can run the host's own toolchains, without an image
	HostPath       []string             // the folders in which such machines look for programs
	Snapshots      SnapshotCost         // empty = the driver is no Snapshotter here
	Notes          []Note               // what is weaker than it could be, and how to mend it; for `vm doctor`
}

// Note is one finding for a person.
type Note struct {
	Problem string // one sentence
	Mend    string // a command, or one sentence; may be empty
}

// Progress receives the steps of something slow, in order, from one goroutine.
// Percent is 0 to 100, or negative when unknown. It must not block for long. Nil
// is allowed wherever a Progress is taken; use Report to call it.
type Progress func(message string, percent float64)

// Report calls p unless it is nil.
func (p Progress) Report(message string, percent float64) {
	if p != nil {
		p(message, percent)
	}
}

// LogLine is one line of a machine's own log: boot, provisioning, console.
type LogLine struct {
	Time   time.Time `json:"time"`
	Stream string    `json:"stream"` // boot, console, engine, setup
	Text   string    `json:"text"`
}

// Driver makes machines. Every method may be called from several goroutines at
// once, for different machines; calls for one machine are serialised by the
// caller. Errors wrap the sentinels above. Cancelling ctx ends the call soon.
type Driver interface {
	// Name is the driver's name on the wire: docker, native, vagrant, fake.
	Name() string

	// Probe says what the driver can do here. It fails with ErrUnavailable and
	// a Hint when it can do nothing. Calls after the first are cheap; an engine
	// that has come or gone meanwhile is noticed.
	Probe(ctx context.Context) (Features, error)

	// Ready tells whether a machine of this Spec could be made now without
	// downloading anything. It fails with ErrUnavailable and a Hint.
	Ready(ctx context.Context, spec Spec) error

	// Create makes the machine and starts it; it returns when the agent in it
	// can be reached through Open. Images are pulled or unpacked on demand, with
	// progress. When it fails, or ctx is cancelled, nothing is left behind.
	// Limits that cannot be held are applied as hard as possible and reported
	// in Machine.Enforcement: the caller refuses beforehand, from Features.
	Create(ctx context.Context, spec Spec, progress Progress) (Machine, error)

	// Start starts a stopped machine with the files it had. Starting a running
	// one does nothing.
	Start(ctx context.Context, ref Ref) (Machine, error)

	// Stop ends every process of the machine and keeps its files. Processes get
	// SIGTERM and grace to heed it; zero kills at once. Stopping a stopped one
	// does nothing.
	Stop(ctx context.Context, ref Ref, grace time.Duration) error

	// Destroy removes the machine and all that was made for it, in whatever
	// state it is, half-made ones included. It may be repeated; a machine that
	// is not there is no error.
	Destroy(ctx context.Context, ref Ref) error

	// Inspect asks the engine. It fails with ErrNoMachine.
	Inspect(ctx context.Context, ref Ref) (Machine, error)

	// List returns every machine of an instance, Partial ones included.
	List(ctx context.Context, instance string) ([]Machine, error)

	// Open opens a byte stream to the agent of a running machine, for
	// agent.NewClient. The caller closes it. Several may be open at once, from
	// several processes. It fails with ErrNoMachine or ErrNotRunning.
	Open(ctx context.Context, ref Ref) (io.ReadWriteCloser, error)

	// Logs returns the last tail lines of the machine's own log, oldest first.
	Logs(ctx context.Context, ref Ref, tail int) ([]LogLine, error)

	// DiskUsage returns the bytes that the machine has written over its image.
	DiskUsage(ctx context.Context, ref Ref) (int64, error)

	// Close releases what the driver holds in this process. Machines go on.
	Close() error
}

// Plain returns err's text without the words of the sentinels that only sort
// errors, and tell the person who reads it nothing.
func Plain(err error) string {
	text := err.Error()
	for _, sort := range []error{ErrUnavailable, ErrNotEnforceable, ErrInvalidSpec} {
		text = strings.ReplaceAll(text, sort.Error()+": ", "")
		text = strings.TrimSuffix(text, ": "+sort.Error())
	}
	return text
}

// hinted is an error with advice for the person who reads it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// WithHint attaches what a person should do about err: a command or a sentence.
func WithHint(err error, hint string) error { return hinted{err, hint} }

// Hint returns the advice attached to err nearest to its surface, or "".
func Hint(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}

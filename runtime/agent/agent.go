// Package agent is what runs inside every VM, and the client for it.
//
// The guest half (package agent/guest, the program cmd/vm-agent) starts
// programs, keeps their records and kills their trees. The host half (Client)
// speaks to it over one byte stream that a driver opened. Executions belong to
// the guest: they outlive the client that began them, and any later client can
// follow them from their first byte.
package agent

import "time"

// Version of the wire between client and guest. Both ends send it first; a
// client refuses a guest of another version.
const Version = 1

// Run is one program to be run in a VM.
type Run struct {
	// ID names the run within its VM. The caller chooses it; a second run of
	// the same ID is refused with ErrExists.
	ID string `json:"id"`
	// Files are written before anything starts, with missing folders made.
	Files []File `json:"files,omitempty"`
	// Dir is the working directory, made when missing. Empty = the VM user's
	// home. Relative paths of Files are below it.
	Dir string `json:"dir,omitempty"`
	// Scratch is a folder of the run's own, such as /tmp/run-7: made for the
	// VM's user before Files are written, and removed with all that is in it
	// when the run has ended; with Detach it stays. Empty = none.
	Scratch string `json:"scratch,omitempty"`
	// Build, if any, runs first, without standard input. A failing build ends
	// the run with Phase "build".
	Build []string `json:"build,omitempty"`
	// Command is the program and its arguments; the program is looked up in the
	// run's PATH when it holds no slash.
	Command []string `json:"command"`
	// Errand has the agent's own program do something with files in place of
	// Build and Command, with the rights of the run's user; see ErrandRead.
	Errand []string `json:"errand,omitempty"`
	// Env adds to the VM's environment, as KEY=VALUE; the last of a key counts.
	Env []string `json:"env,omitempty"`
	// User is "" for the VM's ordinary user, or "root" for the VM's own root
	// where the driver gives one.
	User string `json:"user,omitempty"`
	// Stdin is given to the program first. Without OpenStdin end-of-file
	// follows it; with OpenStdin, Input continues it.
	Stdin     []byte `json:"stdin,omitempty"`
	OpenStdin bool   `json:"openStdin,omitempty"`
	// Terminal gives the program a terminal of that size for its three streams,
	// with OpenStdin. All output is Stdout then, of which no record is kept but
	// the last that was on the screen, for those who follow later; the end of
	// standard input hangs up.
	Terminal *Window `json:"terminal,omitempty"`
	// Timeout for build and program together; 0 = none.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Detach leaves children of the program alone when it has ended.
	Detach bool `json:"detach,omitempty"`
	// RecordBytes is how much of each stream's beginning, and of its end, the
	// record keeps. 0 = DefaultRecordBytes.
	RecordBytes int `json:"recordBytes,omitempty"`
	// Session, if any, has the code executed by an interpreter that is kept
	// between runs; Command starts that interpreter's kernel when there is none.
	// Such a run has a Scratch folder, no Build and no Detach.
	Session *Session `json:"session,omitempty"`
	// Zygote, if any, lets the guest fork the program from an interpreter that
	// waits, where that can be done and one waits.
	Zygote *Zygote `json:"zygote,omitempty"`
	// Memory, in bytes, kills the run with OutOfMemory when its processes
	// together hold more resident memory; looked at several times a second.
	// Set where no cgroup holds the limit. 0 = not watched.
	WatchMemory int64 `json:"watchMemory,omitempty"`
	// FileSize bounds every file that the run writes, in bytes (RLIMIT_FSIZE);
	// exceeding it ends the run with DiskFull. 0 = unbounded.
	FileSize int64 `json:"fileSize,omitempty"`
}

// DefaultRecordBytes is what a record keeps of each stream at either end, 512 KiB.
const DefaultRecordBytes = 512 << 10

// File to be placed in the VM before a run.
type File struct {
	Path string `json:"path"` // relative to Run.Dir, or absolute
	Data []byte `json:"data"`
	Mode uint32 `json:"mode,omitempty"` // permission bits; 0 = 0644
}

// Stream is one of a program's outputs.
type Stream uint8

// Streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

func (s Stream) String() string {
	if s == Stderr {
		return "stderr"
	}
	return "stdout"
}

// Verdict says how a run ended.
type Verdict string

// Verdicts. The pool adds vmStopped and lost, which a guest cannot give.
const (
	Running     Verdict = "running"
	Exited      Verdict = "exited"      // by itself, with ExitCode
	Signaled    Verdict = "signaled"    // by a signal that it or another program sent
	Timeout     Verdict = "timeout"     // killed at its Timeout
	Cancelled   Verdict = "cancelled"   // killed by Kill
	OutOfMemory Verdict = "outOfMemory" // killed at the memory limit
	DiskFull    Verdict = "diskFull"    // failed at the disk limit
	PidsLimit   Verdict = "pidsLimit"   // failed at the process limit
)

// Result of a run, also of one that still runs (Verdict Running).
type Result struct {
	ID      string  `json:"id"`
	Verdict Verdict `json:"verdict"`
	// Phase is "build" when Run.Build failed or was interrupted, else "run".
	Phase string `json:"phase"`
	// Missing names the program that could not be started because it is not in
	// the VM; all else is zero then.
	Missing string `json:"missing,omitempty"`
	// ExitCode of the program; 128 plus the signal's number after a signal.
	ExitCode int `json:"exitCode"`
	// Signal that ended the program, such as "SIGSEGV"; empty when it exited.
	Signal     string        `json:"signal,omitempty"`
	StartedAt  time.Time     `json:"startedAt"`
	Wall       time.Duration `json:"wall"`
	CPU        time.Duration `json:"cpu"`        // user and system, of the whole tree as far as it was reaped
	PeakMemory int64         `json:"peakMemory"` // bytes: the largest resident set of the tree's processes
	// Forked from an interpreter that waited; see Run.Zygote.
	Forked bool `json:"forked,omitempty"`
	Answer
	Stdout Record `json:"stdout"`
	Stderr Record `json:"stderr"`
}

// Record of one stream: its beginning and, when it was longer, its end.
type Record struct {
	Head    []byte `json:"head,omitempty"`
	Tail    []byte `json:"tail,omitempty"`
	Omitted int64  `json:"omitted,omitempty"` // bytes left out between Head and Tail
}

// Stats of a VM at one moment, of its whole workload.
type Stats struct {
	CPUPercent float64       `json:"cpuPercent"` // of one core, since the previous call or over a short interval
	CPU        time.Duration `json:"cpu"`        // total since the VM started
	Memory     int64         `json:"memory"`     // bytes in use
	Disk       int64         `json:"disk"`       // bytes used, where the VM's file system is its own; else -1
	Pids       int           `json:"pids"`
	Uptime     time.Duration `json:"uptime"`
}

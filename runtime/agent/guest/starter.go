package guest

import (
	"errors"
	"io"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
)

// Starter is how the guest starts programs. The guest's own one runs processes
// of the machine, each below a supervisor; runtime/fake has one that runs Go
// functions. Its methods may be called from several goroutines at once.
type Starter interface {
	// Start writes p.Files, then starts the program, and returns when it runs.
	// When it fails nothing of the program is left. The error wraps ErrMissing
	// when there is no such program; an errno in it (ENOSPC, EAGAIN, ENOMEM)
	// tells which limit stood in the way; ErrRefused when the files or the
	// folder could not be made for the program's user.
	Start(p Program) (Process, error)

	// Streams writes p.Files and makes pipes of the names stdin, stdout and stderr
	// in p.Scratch, for a process that runs already to open. It fails as Start
	// does.
	Streams(p Program) (Streams, error)

	// Discard removes a folder with all that is in it, with the rights of the
	// programs' user, or of root. What cannot be removed stays.
	Discard(folder string, root bool)

	// Stats tells what the workload uses at this moment. Uptime is the guest's.
	Stats() agent.Stats

	// Close frees what the Starter holds. Processes have ended before.
	Close() error
}

// Errors of Starter.Start.
var (
	// ErrMissing: the program is not in the machine.
	ErrMissing = errors.New("program not found")
	// ErrRefused: what the program needs first could not be made.
	ErrRefused = errors.New("run refused")
)

// Program is what a Starter starts.
type Program struct {
	Argv     []string
	Env      []string     // the whole environment, each key once
	Dir      string       // absolute; made when missing
	Files    []agent.File // Path absolute
	Scratch  string       // absolute; made when missing; "" = none
	Root     bool         // as the machine's root instead of its ordinary user
	FileSize int64        // as agent.Run.FileSize
	// Terminal, if any, takes the place of the three streams: Stdin and Stdout
	// are its other end, and the Process has a Resize(agent.Window) error.
	Terminal *agent.Window
	// Errand: Argv is of the agent's own program, see package errand.
	Errand bool
	// WatchMemory as agent.Run.WatchMemory.
	WatchMemory int64
	// Zygote as agent.Run.Zygote.
	Zygote *agent.Zygote
}

// Streams are the guest's ends of three pipes with names. The caller closes them.
type Streams interface {
	Stdin() io.WriteCloser
	Stdout() io.Reader
	Stderr() io.Reader
	// HandOver is called once another process has opened all three: from then on
	// an end of file means that nobody but the guest holds a pipe.
	HandOver()
	// Close closes the guest's ends; it may be repeated.
	Close() error
}

// Process is a started program and all its descendants, its tree.
//
// The guest reads both outputs to their ends in goroutines of their own, calls
// Wait, then Finish, then Close, each of them once. Kill, Signal and Stdin come
// at any time from any goroutine, before and after.
type Process interface {
	// Stdin is the program's standard input; closing it is end-of-file. A write
	// fails once nobody reads.
	Stdin() io.WriteCloser
	// Stdout and Stderr end when nothing of the tree holds them, or at Close.
	Stdout() io.Reader
	Stderr() io.Reader
	// Signal sends a signal, by its Linux number, to the program and its
	// process group; it was sent when Signal returns.
	Signal(number int) error
	// Measure tells what the tree has used until now. A limit that was met before
	// is not blamed for the program's end any more.
	Measure() Usage
	// Kill ends the whole tree; Wait returns soon after. It does not wait.
	Kill()
	// Wait returns when the program itself has ended; descendants may live on.
	Wait() Exit
	// Finish ends what is left of the tree, unless detach, and returns when it
	// is gone. Later calls of Kill end what was left to itself by detach.
	Finish(detach bool) Usage
	// Close closes the three streams.
	Close() error
}

// Exit says how a program itself ended.
type Exit struct {
	Code   int // when Signal is 0
	Signal int // Linux number of the signal that ended it, or 0
	// Forked as agent.Result.Forked.
	Forked bool
	// Interrupted: code in a session has ended after Kill was called.
	Interrupted  bool
	agent.Answer // of code in a session
}

// Failed reports whether the program ended in any way but with exit code 0.
func (e Exit) Failed() bool { return e.Code != 0 || e.Signal != 0 }

// Usage of a whole tree.
type Usage struct {
	CPU        time.Duration // user and system
	PeakMemory int64         // bytes: the largest resident set of one process
	// Limit is the limit of the machine that ended the program or made it fail:
	// OutOfMemory, DiskFull or PidsLimit; empty for none.
	Limit agent.Verdict
	// DiskStrained: the tree may have met the end of the disk, or of what one file
	// may hold, though nothing shows it any more. What it says of that is true.
	DiskStrained bool
}

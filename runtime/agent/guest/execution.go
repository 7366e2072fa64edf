package guest

import (
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
)

// interruptGrace is how long code in a session has to heed an interrupt before
// its interpreter is killed. Half-way it gets another one: an interpreter may
// have lost the first at a moment between its own code and the program's.
const interruptGrace = 5 * time.Second

// sigint is SIGINT's number.
const sigint = 2

// execution is code being executed by a session's kernel. To its run it is a
// process like any other, whose Kill interrupts first.
type execution struct {
	session *session
	kernel  *kernel
	streams Streams
	note    string // that the kernel was started anew

	mu       sync.Mutex // guards what follows; held while a signal is sent
	over     bool
	kills    int
	overtime *time.Timer
}

var _ Process = (*execution)(nil)

// Stdin implements Process.
func (e *execution) Stdin() io.WriteCloser { return e.streams.Stdin() }

// Stdout implements Process.
func (e *execution) Stdout() io.Reader { return e.streams.Stdout() }

// Stderr implements Process.
func (e *execution) Stderr() io.Reader { return e.streams.Stderr() }

// Close implements Process.
func (e *execution) Close() error { return e.streams.Close() }

// Signal implements Process.
func (e *execution) Signal(number int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return nil
	}
	return e.kernel.proc.Signal(number)
}

// Kill implements Process: it interrupts the code, and kills the kernel when that
// is ignored, or when it is called again.
func (e *execution) Kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	if e.kills++; e.kills > 1 {
		e.kernel.proc.Kill()
		return
	}
	e.overtime = time.AfterFunc(interruptGrace/2, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.over {
			return
		}
		e.interrupt()
		e.overtime = time.AfterFunc(interruptGrace/2, func() {
			e.kernel.ignored.Store(true)
			e.kernel.proc.Kill()
		})
	})
	e.interrupt()
}

// interrupt sends the kernel the signal. What it cannot be told, its end will tell.
func (e *execution) interrupt() { _ = e.kernel.proc.Signal(sigint) }

// end makes signals void: the next execution must not get this one's.
func (e *execution) end() (interrupted bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	if e.overtime != nil {
		e.overtime.Stop()
	}
	return e.kills > 0
}

// Wait implements Process.
func (e *execution) Wait() Exit {
	done, err := e.kernel.hear("done")
	interrupted := e.end()
	if err == nil {
		if exit, err := parseDone(done); err == nil {
			exit.Interrupted = interrupted
			exit.Note = e.note
			return exit
		}
		e.kernel.proc.Kill()
		<-e.kernel.gone
	}
	exit := e.kernel.exit
	exit.Interrupted = interrupted
	exit.Note = fmt.Sprintf("the interpreter of session %s has ended, %s; the next execution starts it anew", e.session.name, e.kernel.obituary())
	return exit
}

// Finish implements Process. The kernel and what it has started live on.
func (e *execution) Finish(bool) Usage {
	k := e.kernel
	usage := k.usage
	if !k.hasEnded() {
		usage = k.proc.Measure()
	}
	lap := usage
	lap.CPU = max(0, usage.CPU-k.counted.CPU)
	k.counted = usage
	return lap
}

// Measure implements Process.
func (e *execution) Measure() Usage { return e.kernel.proc.Measure() }

// parseDone reads the end of an execution.
func parseDone(fields []string) (Exit, error) {
	if len(fields) < 2 || len(fields)%3 != 2 {
		return Exit{}, errFields
	}
	code, err := strconv.Atoi(fields[0])
	if err != nil || code < 0 || code > 255 {
		return Exit{}, errFields
	}
	exit := Exit{Code: code, Answer: agent.Answer{Value: fields[1]}}
	for f := fields[2:]; len(f) > 0; f = f[3:] {
		data, err := base64.StdEncoding.DecodeString(f[2])
		if err != nil {
			return Exit{}, errFields
		}
		exit.Artifacts = append(exit.Artifacts, agent.Artifact{MIME: f[0], Name: f[1], Data: data})
	}
	return exit, nil
}

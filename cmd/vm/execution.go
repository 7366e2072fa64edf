package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

// catchUp has the ends recorded of executions that nobody follows any more:
// those that were left running and have ended since.
func (t *terminal) catchUp(ctx context.Context) error {
	scope, err := t.open(ctx)
	if err != nil {
		return err
	}
	return scope.Recover(ctx)
}

// following says how an execution is followed.
type following struct {
	feed    bool // the program gets what comes on standard input
	cancels bool // an interrupt cancels the execution, rather than leaving it

	artifacts string // the folder for what it shows beside text; empty = it is only told of
}

// follow calls a method that answers with an execution, shows its output as it
// comes, tells what an exit code does not, and ends as the program did.
func (t *terminal) follow(ctx context.Context, method string, params any, how following) error {
	f := &follower{terminal: t, ctx: ctx, feed: how.feed}
	ctx, f.cancel = context.WithCancelCause(ctx)
	defer f.cancel(nil)
	t.client.output = f.take
	e, err := call[handlers.Execution](ctx, t, method, params)
	if err != nil && ctx.Err() != nil && how.cancels && f.execution != 0 {
		e, err = t.record(ctx, f.execution)
	}
	switch {
	case err != nil:
		return err
	case t.json:
		if err := writeJSON(t.stdout, e); err != nil {
			return err
		}
	case !errors.Is(context.Cause(ctx), errNoReader):
		t.tellVerdict(e)
	}
	if err := t.keepArtifacts(how.artifacts, e); err != nil {
		return err
	}
	return outcome(ctx, e)
}

// record is an execution that was cancelled, as it is in the history.
func (t *terminal) record(ctx context.Context, id int64) (handlers.Execution, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return call[handlers.Execution](ctx, t, "vm/attach", handlers.AttachParams{ExecutionID: id})
}

// follower shows one execution's output.
type follower struct {
	*terminal
	ctx    context.Context
	cancel context.CancelCauseFunc
	feed   bool

	execution int64 // 0 before it has begun
}

// take shows a piece of output. When nobody reads it any more, the run is
// cancelled.
func (f *follower) take(chunk handlers.OutputChunk) {
	if f.execution == 0 {
		f.execution = chunk.ExecutionID
		if f.feed {
			go f.pass()
		}
	}
	if f.json || chunk.Text == "" {
		return
	}
	to := f.stdout
	if chunk.Stream == "stderr" {
		to = f.stderr
	}
	if _, err := io.WriteString(f.status.above(to), chunk.Text); err != nil {
		f.cancel(errNoReader)
	}
}

// errNoReader is the cause with which a run is cancelled whose output nobody
// reads. To methods it is a cancelled request.
var errNoReader = fmt.Errorf("the reader of the output has gone: %w", context.Canceled)

// exitNoReader is what a shell sees of a program that wrote to a closed pipe:
// 128 + SIGPIPE.
const exitNoReader = exitSignal + 13

// pass gives standard input to the program, bytes as they come, until either
// has ended. It speaks to the pool itself: JSON text cannot carry any bytes.
func (f *follower) pass() {
	buffer := make([]byte, 32<<10)
	for {
		n, err := f.stdin.Read(buffer)
		if failed := f.scope.Input(f.ctx, f.execution, buffer[:n], err != nil); failed != nil || err != nil {
			return // the program has ended; its answer tells how
		}
	}
}

// hasInput reports whether standard input is there for a program: not when it
// is closed, the null device, or a terminal that another job reads.
func (t *terminal) hasInput() bool {
	info, err := t.stdin.Stat()
	if err != nil || isTerminal(t.stdin) && !foreground(t.stdin) {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// tellVerdict says how a program ended that did not exit by itself.
func (t *terminal) tellVerdict(e handlers.Execution) {
	t.tellSession(e)
	message, hint := verdict(e)
	if message == "" {
		return
	}
	p := t.palette(t.stderr)
	t.say("%s %s", p.Paint(show.Yellow, "vm:"), message)
	if hint != "" {
		t.say("%s %s", p.Paint(show.Dim, "hint:"), hint)
	}
	if e.Truncated.Stdout+e.Truncated.Stderr > 0 && t.verbose {
		t.say("vm: the history leaves out %s of the output", show.Bytes(e.Truncated.Stdout+e.Truncated.Stderr))
	}
}

// verdict puts into words what an exit code alone does not tell.
func verdict(e handlers.Execution) (message, hint string) {
	took := show.Seconds(e.ExecutionTime)
	switch e.Verdict {
	case "exited":
		if e.Phase == "build" && e.ExitCode != 0 {
			return "the code did not build", ""
		}
		return "", ""
	case "timeout":
		return "stopped at its time limit, after " + took, "--timeout gives it longer"
	case "outOfMemory":
		return "killed at the memory limit of VM " + e.VMName, "a VM gets more with vm create --memory"
	case "diskFull":
		return "VM " + e.VMName + " has written as much as its disk limit allows", "a VM gets more with vm create --disk"
	case "pidsLimit":
		return "VM " + e.VMName + " has as many processes as its limit allows", "a VM gets more with vm create --pids"
	case "signaled":
		return "ended by " + cmp.Or(e.Signal, "a signal"), ""
	case "cancelled":
		return fmt.Sprintf("execution %d was cancelled after %s", e.ID, took), ""
	case "vmStopped":
		return fmt.Sprintf("execution %d ended because VM %s was stopped", e.ID, e.VMName), ""
	case "lost":
		return fmt.Sprintf("execution %d is lost: VM %s knows nothing of it any more", e.ID, e.VMName), "vm logs " + e.VMName
	}
	return "", ""
}

// outcome is the exit code that an execution gives vm; see exitCodes.
func outcome(ctx context.Context, e handlers.Execution) error {
	switch code := exitOf(e); {
	case errors.Is(context.Cause(ctx), errNoReader):
		return exitAs(exitNoReader)
	case e.Verdict == "cancelled" && ctx.Err() != nil:
		return exitAs(interruption(ctx).code())
	case code != 0:
		return exitAs(code)
	}
	return nil
}

// exitOf maps a verdict to an exit code, as exitCodes describes it.
func exitOf(e handlers.Execution) int {
	switch e.Verdict {
	case "running":
		return 0
	case "timeout":
		return exitTimeout
	case "outOfMemory":
		return exitMemory
	case "cancelled":
		return exitSignal + 2 // SIGINT
	case "vmStopped", "lost":
		return exitNotRun
	}
	if e.ExitCode == 0 && e.Verdict != "exited" || e.ExitCode < 0 || e.ExitCode > 255 {
		return exitFailed
	}
	return e.ExitCode
}

// exitCodes is the help text of commands that end as a program does.
const exitCodes = `The program's own exit code; 128 + N when signal N ended it. Besides:
124  stopped at its time limit
125  vm could not run it, or its VM was stopped
130  cancelled, with Ctrl-C or by somebody else
137  killed at the memory limit`

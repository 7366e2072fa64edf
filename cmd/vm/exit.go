package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime"
)

// Exit codes. Those of running code follow timeout(1) and docker-run(1).
const (
	exitFailed  = 1
	exitUsage   = 2
	exitTimeout = 124
	exitNotRun  = 125 // vm itself failed, before or beside the program
	exitMemory  = 137 // 128 + SIGKILL, as the kernel's own killer gives
	exitSignal  = 128 // plus the signal's number
)

// annotationRuns marks commands that exit as a program did, so that their own
// failures need a code of their own.
const annotationRuns = "runs"

// exitAs ends vm with a program's exit code; everything has been said.
type exitAs int

func (e exitAs) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitCode is what vm exits with after a command.
func exitCode(ctx context.Context, err error, cmd *cobra.Command) int {
	var as exitAs
	var failure *handlers.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &as):
		return int(as)
	case errors.Is(err, syscall.EPIPE):
		return exitNoReader
	case ctx.Err() != nil:
		return interruption(ctx).code()
	case cmd != nil && cmd.Annotations[annotationRuns] != "":
		return exitNotRun
	case errors.As(err, &failure) && failure.Code == handlers.CodeInvalidParams:
		return exitUsage
	}
	return exitFailed
}

// report tells why a command failed.
func (t *terminal) report(err error) {
	var as exitAs
	if err == nil || errors.Is(err, errSilent) || errors.Is(err, syscall.EPIPE) || errors.As(err, &as) {
		return
	}
	t.complain(err)
}

// complain writes an error for a person, or as JSON.
func (t *terminal) complain(err error) {
	failure := t.failure(err)
	if t.json {
		_ = writeJSON(t.stderr, struct { // nobody is left to tell
			Error any `json:"error"`
		}{wireError{failure.Code, failure.Message, failure.Data}})
		return
	}
	p := t.palette(t.stderr)
	fmt.Fprintf(t.stderr, "%s %s\n", p.Paint(show.Red, "vm:"), failure.Message)
	if failure.Data != nil && failure.Data.Hint != "" {
		fmt.Fprintf(t.stderr, "%s %s\n", p.Paint(show.Dim, "hint:"), failure.Data.Hint)
	}
}

// wireError is an error as the wire contract writes it.
type wireError struct {
	Code    int64               `json:"code"`
	Message string              `json:"message"`
	Data    *handlers.ErrorData `json:"data,omitempty"`
}

// failure is an error in its wire form. One of no kind is worded as it is: in a
// terminal there is no server.
func (t *terminal) failure(err error) *handlers.Error {
	failure := handlers.AsError(err)
	if failure.Code != handlers.CodeInternal {
		return failure
	}
	data := &handlers.ErrorData{Kind: "internal", Hint: runtime.Hint(err)}
	if data.Hint == "" && !t.verbose {
		data.Hint = "--verbose logs what happens below"
	}
	message := strings.TrimPrefix(err.Error(), "the server could not do this: ")
	return &handlers.Error{Code: handlers.CodeInternal, Message: message, Data: data}
}

// usage is a command that was called in a wrong way.
func usage(hint, format string, args ...any) error {
	return &handlers.Error{Code: handlers.CodeInvalidParams, Message: fmt.Sprintf(format, args...),
		Data: &handlers.ErrorData{Kind: "invalidParams", Hint: hint}}
}

// interrupt is the cause of a context that a signal ended. To methods it is a
// cancelled request.
type interrupt struct{ signal os.Signal }

func (i interrupt) Error() string { return "interrupted: " + i.signal.String() }

// Is makes errors.Is(err, context.Canceled) true.
func (i interrupt) Is(target error) bool { return target == context.Canceled }

func (i interrupt) code() int {
	if number, ok := i.signal.(syscall.Signal); ok {
		return exitSignal + int(number)
	}
	return exitFailed
}

// interruption is what ended a context; an interrupt by the user when it is not
// known.
func interruption(ctx context.Context) interrupt {
	var i interrupt
	if !errors.As(context.Cause(ctx), &i) {
		i.signal = os.Interrupt
	}
	return i
}

// sameInterrupt is how close together two signals mean one: timeout(1) signals
// both its child and its process group, which the child is in.
const sameInterrupt = 200 * time.Millisecond

// interruptible is a context that ends with the first signal that asks vm to
// end; the second ends vm at once. Signals that vm was started without (nohup)
// stay ignored. A closed pipe is a write error here, not the end, so that the
// program behind it can be ended too.
func interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	// Caught and dropped rather than ignored: what is ignored is inherited by
	// the programs that drivers start.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		cancel(interrupt{<-signals})
		first := time.Now()
		for s := range signals {
			if time.Since(first) > sameInterrupt {
				os.Exit(interrupt{s}.code())
			}
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

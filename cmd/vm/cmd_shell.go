package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/pool"
)

func shellCommand(t *terminal) *cobra.Command {
	var shell, open string
	cmd := &cobra.Command{
		Use:     "shell <vm>",
		Aliases: []string{"sh"},
		GroupID: groupRun,
		Short:   "Open a shell on a terminal in a VM",
		Long: `Open a shell on a terminal of its own in a VM, and end as it ends. All keys go to
the VM; Ctrl-] leaves the terminal open, and so does a connection that is lost:
--terminal follows it again, from here or elsewhere. It is closed when its shell
ends or the VM stops.`,
		Example: `  vm shell web
  vm shell web --shell zsh
  vm shell --terminal 3-k2v6wq4x`,
		Annotations: map[string]string{annotationRuns: "a program", annotationExit: `the shell's own exit code
125  vm itself failed   128+N  the shell was ended by signal N`},
		Args:              takes(0, 1),
		ValidArgsFunction: t.vmNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (open == "") {
				return usage("usage: "+cmd.UseLine(), "vm shell needs a VM, or --terminal, and not both")
			}
			if !isTerminal(t.stdin) || !isTerminal(t.stdout) {
				return usage("vm execute runs code without a terminal", "vm shell needs a terminal")
			}
			s, err := t.shell(cmd.Context(), args, open, shell)
			if err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&shell, "shell", "", "`program` to run (default: bash, or sh where there is none)")
	cmd.Flags().StringVar(&open, "terminal", "", "`id` of a terminal that is open, instead of a new one")
	return cmd
}

// shell is a terminal in a VM, shown on this one.
type shell struct {
	*terminal
	scope handlers.Scope
	id    string
	again bool // it was open before
}

// shell opens a terminal, or finds one that is open.
func (t *terminal) shell(ctx context.Context, args []string, open, program string) (*shell, error) {
	scope, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	s := &shell{terminal: t, scope: scope, id: open, again: open != ""}
	if open != "" {
		return s, s.resize(ctx)
	}
	_, vm, err := t.openVM(ctx, handlers.ParseID(args[0]))
	if err != nil {
		return nil, err
	}
	window, err := s.window()
	if err != nil {
		return nil, err
	}
	s.id, err = scope.OpenTerminal(ctx, vm, pool.TerminalRequest{Window: window, Shell: program, Term: os.Getenv("TERM")})
	return s, err
}

// window is the size of this terminal.
func (s *shell) window() (agent.Window, error) {
	cols, rows, err := term.GetSize(int(s.stdout.Fd()))
	if err != nil {
		return agent.Window{}, fmt.Errorf("the size of this terminal is not known: %w", err)
	}
	return agent.Window{Rows: uint16(max(rows, 1)), Cols: uint16(max(cols, 1))}, nil
}

func (s *shell) resize(ctx context.Context) error {
	window, err := s.window()
	if err != nil {
		return err
	}
	return s.scope.ResizeTerminal(ctx, s.id, window)
}

// errLeave is the cause with which a person leaves a terminal that stays open.
var errLeave = errors.New("the terminal stays open")

// run joins the two terminals until the shell ends or is left.
func (s *shell) run(ctx context.Context) error {
	before, err := term.MakeRaw(int(s.stdin.Fd()))
	if err != nil {
		return fmt.Errorf("this terminal cannot be used as it is: %w", err)
	}
	defer func() { _ = term.Restore(int(s.stdin.Fd()), before) }() // it has worked a moment ago
	following, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	defer onResize(func() { _ = s.resize(following) })() // when it has ended, that shows below
	go s.pass(following, leave)
	result, err := s.scope.FollowTerminal(following, s.id, func(_ agent.Stream, p []byte) {
		if _, err := s.stdout.Write(p); err != nil {
			leave(err) // this terminal is gone
		}
	})
	_ = term.Restore(int(s.stdin.Fd()), before)
	switch {
	case following.Err() != nil:
		return s.left(ctx, context.Cause(following))
	case err != nil:
		return err
	}
	return s.ended(result)
}

// left says how to come back to a terminal that stays open.
func (s *shell) left(ctx context.Context, why error) error {
	s.say("\nThe terminal stays open; vm shell --terminal %s follows it again.", s.id)
	if ctx.Err() != nil {
		return exitAs(interruption(ctx).code())
	}
	if errors.Is(why, errLeave) {
		return nil
	}
	return why
}

// ended ends vm as the shell ended.
func (s *shell) ended(r agent.Result) error {
	switch r.Verdict {
	case agent.Exited, agent.Signaled:
	case "vmStopped":
		s.say("vm: the VM was stopped")
	default:
		s.say("vm: the terminal was closed: %s", r.Verdict)
	}
	switch {
	case r.ExitCode == 0:
		return nil
	case r.ExitCode < 0:
		return exitAs(exitNotRun)
	}
	return exitAs(r.ExitCode)
}

// leaveKey is Ctrl-].
const leaveKey = 0x1d

// What a terminal has shown is shown again to who comes back to it, with the
// questions of programs that have long had their answers: those of this terminal
// are not typed again while it is replayed. They are reports of position, of
// attributes and of modes, as ECMA-48 and xterm's control sequences have them.
var answers = regexp.MustCompile(`\x1b\[[?>=]?[0-9;]*(R|c|n|\$y)`)

// replaySpan is how long that may take.
const replaySpan = time.Second

// pass types into the VM's terminal what is typed into this one.
func (s *shell) pass(ctx context.Context, leave context.CancelCauseFunc) {
	keys := make([]byte, 4<<10)
	for began := time.Now(); ; {
		n, err := s.stdin.Read(keys)
		typed, left := untilLeaving(keys[:n])
		if s.again && time.Since(began) < replaySpan {
			typed = answers.ReplaceAll(typed, nil)
		}
		if len(typed) > 0 && s.scope.TerminalInput(ctx, s.id, typed) != nil {
			return // it has ended, and where it is followed that is known
		}
		if left || err != nil {
			leave(errLeave)
			return
		}
	}
}

// untilLeaving is what was typed before the key that leaves.
func untilLeaving(keys []byte) (typed []byte, left bool) {
	for i, key := range keys {
		if key == leaveKey {
			return keys[:i], true
		}
	}
	return keys, false
}

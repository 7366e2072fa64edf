package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/handlers"
)

func executeCommand(t *terminal) *cobra.Command {
	var f codeFlags
	var detach bool
	var session, artifacts string
	cmd := &cobra.Command{
		Use:     "execute <vm> <code> [-- <argument>...]",
		Aliases: []string{"exec"},
		GroupID: groupRun,
		Short:   "Run code in a VM",
		Long: `Run code in a VM, with its output as it comes, and end as it ends.

The code is an argument, or a file (-f), or standard input (-). Standard
input goes to the program when it was not the code. Ctrl-C cancels the run; a
second one ends vm at once.`,
		Example: `  vm execute web 'print("hello")'
  vm execute web -f app.py --timeout 5s --env DEBUG=1 -- --port 80
  vm execute web --session s 'x = 41' && vm execute web --session s 'x + 1'
  seq 9 | vm exec web 'import sys; print(sum(map(int, sys.stdin)))'`,
		Annotations:       map[string]string{annotationRuns: "a program", annotationExit: exitCodes},
		Args:              takes(1, -1),
		ValidArgsFunction: t.vmNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 0 {
				return usage("usage: "+cmd.UseLine(), "the VM is missing before --")
			}
			c, err := f.read(cmd, t, args[1:])
			if err != nil {
				return err
			}
			id := handlers.ParseID(args[0])
			return execute(cmd.Context(), t, handlers.ExecuteParams{ID: &id, Run: c.Run, Detach: detach, Session: session},
				following{feed: !c.usedStdin, cancels: true, artifacts: artifacts})
		},
	}
	f.add(cmd, t)
	cmd.Flags().StringVarP(&session, "session", "s", "", "execute it in the interpreter kept under this `name`; variables stay")
	cmd.Flags().StringVar(&artifacts, "artifacts", "", "write the plots and pages that a session shows into this `folder`")
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "leave it running, and print the execution's id")
	return cmd
}

// execute runs code. The program gets standard input where there is any.
func execute(ctx context.Context, t *terminal, params handlers.ExecuteParams, how following) error {
	if params.Detach {
		params.Tokens = withProgress
		e, err := call[handlers.Execution](ctx, t, "vm/execute", params)
		if err != nil {
			return err
		}
		if t.json {
			return writeJSON(t.stdout, e)
		}
		_, err = fmt.Fprintln(t.stdout, e.ID)
		return err
	}
	params.Tokens = withProgress
	how.feed = how.feed && t.hasInput()
	params.OpenStdin = how.feed
	return t.follow(ctx, "vm/execute", params, how)
}

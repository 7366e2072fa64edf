package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/handlers"
)

func attachCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "attach <execution>",
		GroupID: groupRun,
		Short:   "Replay an execution's output and follow it",
		Long: `Show an execution's output from its beginning, follow it while it runs, and end
as it ends. Ctrl-C leaves it running.`,
		Example: `  vm attach $(vm execute web --detach -f server.py)
  vm attach 12 --json`,
		Annotations:       map[string]string{annotationRuns: "a program", annotationExit: exitCodes},
		Args:              takes(1, 1),
		ValidArgsFunction: t.runningExecutions,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := executionID(args[0])
			if err != nil {
				return err
			}
			return attach(cmd.Context(), t, id)
		},
	}
}

func executionID(arg string) (int64, error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || id <= 0 {
		return 0, usage("vm executions lists them", "%q is not an execution's id", arg)
	}
	return id, nil
}

func attach(ctx context.Context, t *terminal, id int64) error {
	err := t.follow(ctx, "vm/attach", handlers.AttachParams{ExecutionID: id, Tokens: withProgress}, following{})
	if err != nil && ctx.Err() != nil {
		t.say("execution %d goes on; vm attach %d follows it again", id, id)
		return exitAs(interruption(ctx).code())
	}
	return err
}

// runningExecutions completes the ids of executions that run.
func (t *terminal) runningExecutions(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	result, err := call[handlers.ExecutionsResult](cmd.Context(), t, "vm/executions", handlers.ExecutionsParams{})
	if err != nil || len(args) > 0 {
		return nil, noFiles
	}
	var ids []string
	for _, e := range result.Executions {
		if e.Verdict == "running" {
			ids = append(ids, strconv.FormatInt(e.ID, 10)+"\t"+e.Language+" in "+e.VMName)
		}
	}
	return ids, noFiles
}

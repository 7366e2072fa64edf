package main

import (
	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/handlers"
)

func runCommand(t *terminal) *cobra.Command {
	var f codeFlags
	var detach bool
	cmd := &cobra.Command{
		Use:     "run <code> [-- <argument>...]",
		GroupID: groupRun,
		Short:   "Run code without choosing a VM",
		Long: `Run code in a scratch VM of its language, which is made when there is none,
kept for the next run, stopped when idle and deleted when long unused.

Everything else is as with vm execute.`,
		Example: `  vm run -l python 'print(6 * 7)'
  vm run -f main.go -- --verbose
  echo 'console.log(42)' | vm run -l javascript -`,
		Annotations:       map[string]string{annotationRuns: "a program", annotationExit: exitCodes},
		ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.read(cmd, t, args)
			if err != nil {
				return err
			}
			if c.Language == "" {
				return usage("name it: --language python; vm languages lists them", "the code's language is not known")
			}
			return execute(cmd.Context(), t, handlers.ExecuteParams{Run: c.Run, Detach: detach}, following{feed: !c.usedStdin, cancels: true})
		},
	}
	f.add(cmd, t)
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "leave it running, and print the execution's id")
	return cmd
}

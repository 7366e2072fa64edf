package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func undoCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "undo <vm>",
		GroupID: groupVM,
		Short:   "Put a VM's files back to before its last execution",
		Long: `Put a VM's files back to before its last execution; once more, to before the one
before that. What runs in it ends.

Where a snapshot costs milliseconds, one is taken before each execution by itself,
and the last 20 are kept. Elsewhere, vm execute --checkpoint takes one. See the
setting checkpoint.`,
		Example: `  vm execute web 'import shutil; shutil.rmtree("data")'
  vm undo web`,
		Args:              takes(1, 1),
		ValidArgsFunction: t.vmNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			params := handlers.IDParams{ID: handlers.ParseID(args[0]), Tokens: withProgress}
			return callAndPrint(cmd.Context(), t, "vm/undo", params, func(w io.Writer, p show.Palette, vm handlers.VM) error {
				_, err := fmt.Fprintf(w, "VM %s is %s, as before its last execution\n",
					p.Paint(show.Bold, vm.Name), p.Paint(statusColour(vm.Status), vm.Status))
				return err
			})
		},
	}
}

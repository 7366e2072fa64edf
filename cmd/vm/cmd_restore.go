package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func restoreCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "restore <vm> <snapshot>",
		GroupID: groupVM,
		Short:   "Give a VM the files of a snapshot",
		Long: `Give a VM the files of a snapshot, and start it. What runs in it ends. Other
snapshots stay, also later ones, so there is a way back: vm snapshot first.`,
		Example:           `  vm restore web before-upgrade`,
		Args:              takes(2, 2),
		ValidArgsFunction: t.snapshotNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			params := handlers.OneSnapshotParams{ID: handlers.ParseID(args[0]), Snapshot: handlers.ParseID(args[1]), Tokens: withProgress}
			return callAndPrint(cmd.Context(), t, "vm/restore", params, func(w io.Writer, p show.Palette, vm handlers.VM) error {
				_, err := fmt.Fprintf(w, "VM %s is %s, with the files of snapshot %s\n",
					p.Paint(show.Bold, vm.Name), p.Paint(statusColour(vm.Status), vm.Status), args[1])
				return err
			})
		},
	}
}

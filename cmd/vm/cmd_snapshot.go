package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func snapshotCommand(t *terminal) *cobra.Command {
	params := handlers.SnapshotParams{Tokens: withProgress}
	cmd := &cobra.Command{
		Use:     "snapshot <vm> [name]",
		GroupID: groupVM,
		Short:   "Keep a VM's files as they are",
		Long: `Keep a VM's files as they are: content, owners, modes, links and times. A running
VM goes on; it stands still while that is needed for one consistent moment.`,
		Example: `  vm snapshot web before-upgrade
  vm restore web before-upgrade
  vm create copy --snapshot web/before-upgrade`,
		Args:              takes(1, 2),
		ValidArgsFunction: t.vmNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			params.ID = handlers.ParseID(args[0])
			if len(args) > 1 {
				params.Name = args[1]
			}
			return callAndPrint(cmd.Context(), t, "vm/snapshot", params, func(w io.Writer, p show.Palette, s handlers.Snapshot) error {
				_, err := fmt.Fprintf(w, "snapshot %s of VM %s is taken, %s\n", p.Paint(show.Bold, s.Name), args[0], show.Bytes(s.SizeBytes))
				return err
			})
		},
	}
	cmd.Flags().StringVarP(&params.Comment, "message", "m", "", "a `comment` on it")
	return cmd
}

package main

import "github.com/spf13/cobra"

func restartCommand(t *terminal) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:               "restart <vm>...",
		GroupID:           groupVM,
		Short:             "Stop and start VMs",
		Example:           `  vm restart web`,
		Args:              takes(1, -1),
		ValidArgsFunction: t.vmNames(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.change(cmd.Context(), "vm/restart", args, force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "kill what runs in it, instead of asking it to end first")
	return cmd
}

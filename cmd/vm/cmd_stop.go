package main

import "github.com/spf13/cobra"

func stopCommand(t *terminal) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "stop <vm>...",
		GroupID: groupVM,
		Short:   "Stop VMs and keep their files",
		Example: `  vm stop web
  vm stop --force $(vm list -q --status running)`,
		Args:              takes(1, -1),
		ValidArgsFunction: t.vmNames(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.change(cmd.Context(), "vm/stop", args, force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "kill what runs in it, instead of asking it to end first")
	return cmd
}

package main

import "github.com/spf13/cobra"

func startCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:               "start <vm>...",
		GroupID:           groupVM,
		Short:             "Start stopped VMs with the files they had",
		Example:           `  vm start web worker`,
		Args:              takes(1, -1),
		ValidArgsFunction: t.vmNames(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.change(cmd.Context(), "vm/start", args, false)
		},
	}
}

package main

import (
	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime/lang"
)

func installCommand(t *terminal) *cobra.Command {
	var language string
	var system bool
	cmd := &cobra.Command{
		Use:     "install <vm> <package>...",
		GroupID: groupRun,
		Short:   "Bring packages into a VM",
		Long: `Bring packages into a VM, and into that alone, for programs and sessions that
come after. The VM's language says which package manager brings them: pip, npm,
go, cargo, gem, CRAN or Maven; --system takes the VM's own distribution's.

The VM must reach the index: see vm create --allow and the setting packages. With
vm create --package they are there from the start, in VMs without a network too.`,
		Example: `  vm install lab 'requests>=2.31' rich
  vm install lab -l javascript left-pad@1.3.0
  vm install lab --system curl`,
		Annotations:       map[string]string{annotationRuns: "a program", annotationExit: exitCodes},
		Args:              takes(2, -1),
		ValidArgsFunction: t.vmNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			params := handlers.InstallParams{ID: handlers.ParseID(args[0]), Packages: args[1:], Language: language, Tokens: withProgress}
			if system {
				params.Language = lang.System
			}
			return t.follow(cmd.Context(), "vm/installPackages", params, following{cancels: true})
		},
	}
	cmd.Flags().StringVarP(&language, "language", "l", "", "`language` whose packages they are, instead of the VM's")
	cmd.Flags().BoolVar(&system, "system", false, "packages of the VM's own distribution, by its root")
	cmd.MarkFlagsMutuallyExclusive("language", "system")
	completeFlag(cmd, "language", t.languageNames)
	return cmd
}

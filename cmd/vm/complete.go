package main

import (
	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime/lang"
)

// completion offers words for an argument or a flag. It is silent when it has
// none.
type completion = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// noFiles ends the list: a file's name would make no sense here.
const noFiles = cobra.ShellCompDirectiveNoFileComp

// vmNames offers the user's VMs, those that are not on the line already; at
// most so many of them (0 = any number).
func (t *terminal) vmNames(most int) completion {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, noFiles
		}
		result, err := call[handlers.ListResult](cmd.Context(), t, "vm/list", handlers.ListParams{})
		if err != nil {
			return nil, noFiles
		}
		used := map[string]bool{}
		for _, arg := range args {
			used[arg] = true
		}
		var names []string
		for _, vm := range result.VMs {
			if !used[vm.Name] {
				names = append(names, vm.Name+"\t"+vm.Language+", "+vm.Status)
			}
		}
		return names, noFiles
	}
}

// languageNames offers the language table's rows.
func (t *terminal) languageNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	settings, err := t.settings()
	if err != nil {
		return nil, noFiles
	}
	table, err := lang.New(settings.Languages)
	if err != nil {
		return nil, noFiles
	}
	var names []string
	for _, l := range table.Languages() {
		names = append(names, l.ID+"\t"+l.Name)
	}
	return names, noFiles
}

// words offers a fixed list.
func words(list ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return list, noFiles }
}

// completeFlag offers words for a flag's value.
func completeFlag(cmd *cobra.Command, flag string, c completion) {
	if err := cmd.RegisterFlagCompletionFunc(flag, c); err != nil {
		panic(err) // the flag is not defined, or completed twice
	}
}

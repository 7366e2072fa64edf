package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func deleteCommand(t *terminal) *cobra.Command {
	var all, yes, force bool
	cmd := &cobra.Command{
		Use:     "delete <vm>...",
		Aliases: []string{"rm"},
		GroupID: groupVM,
		Short:   "Remove VMs and their files",
		Long:    "Remove VMs and their files, whatever runs in them. Their executions stay in the\nhistory.",
		Example: `  vm delete web worker
  vm delete --all --yes`,
		Args: func(cmd *cobra.Command, args []string) error {
			if all {
				return takes(0, 0)(cmd, args)
			}
			return takes(1, -1)(cmd, args)
		},
		ValidArgsFunction: t.vmNames(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all {
				var err error
				if args, err = t.allVMs(cmd.Context(), yes); err != nil {
					return err
				}
			}
			return remove(cmd.Context(), t, args, force)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&all, "all", false, "all your VMs; asks first")
	flags.BoolVarP(&yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&force, "force", false, "kill at once what runs in them")
	return cmd
}

func remove(ctx context.Context, t *terminal, vms []string, force bool) error {
	return t.each(ctx, vms, func(id handlers.ID) error {
		params := handlers.ForceParams{ID: id, Force: force, Tokens: withProgress}
		return callAndPrint(ctx, t, "vm/delete", params, func(w io.Writer, p show.Palette, _ handlers.Empty) error {
			_, err := fmt.Fprintf(w, "VM %s is deleted\n", p.Paint(show.Bold, nameOf(id)))
			return err
		})
	})
}

// nameOf is an id as it was typed.
func nameOf(id handlers.ID) string {
	if id.Number != 0 {
		return fmt.Sprint(id.Number)
	}
	return id.Name
}

// allVMs are the names of all the user's VMs, when he means it.
func (t *terminal) allVMs(ctx context.Context, yes bool) ([]string, error) {
	result, err := call[handlers.ListResult](ctx, t, "vm/list", handlers.ListParams{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, vm := range result.VMs {
		names = append(names, vm.Name)
	}
	switch {
	case len(names) == 0:
		t.say("There is no VM to delete.")
	case !yes:
		return names, t.confirm(fmt.Sprintf("Delete %s, with all files in them: %s?", show.Count(len(names), "VM", "VMs"), show.List(names)))
	}
	return names, nil
}

// confirm asks; it fails when the answer is not yes, or nobody is there.
func (t *terminal) confirm(question string) error {
	if !isTerminal(t.stdin) || !isTerminal(t.stderr) {
		return usage("--yes does it without asking", "nobody is there to be asked")
	}
	fmt.Fprintf(t.stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(t.stdin).ReadString('\n')
	if err != nil && answer == "" {
		fmt.Fprintln(t.stderr)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	t.say("Nothing was deleted.")
	return errSilent
}

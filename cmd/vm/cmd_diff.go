package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func diffCommand(t *terminal) *cobra.Command {
	var names, patch bool
	cmd := &cobra.Command{
		Use:     "diff <vm> [snapshot] [snapshot]",
		GroupID: groupVM,
		Short:   "Show what has changed in a VM's files",
		Long: `Show what has changed in a VM's files: by its last execution, which is what vm undo
would take back; since a snapshot; or from one snapshot to another. Text is shown
line by line; times alone are no change.

With --patch it prints patches for git apply alone. They name files by their paths
in the VM, without the leading slash.`,
		Example: `  vm diff web
  vm diff web before-upgrade
  vm diff --patch web before-upgrade after-upgrade > upgrade.patch`,
		Args:              takes(1, 3),
		ValidArgsFunction: t.snapshotNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			params := handlers.DiffParams{ID: handlers.ParseID(args[0]), Tokens: withProgress}
			for i, field := range []**handlers.ID{&params.From, &params.To} {
				if len(args) > i+1 {
					id := handlers.ParseID(args[i+1])
					*field = &id
				}
			}
			return showDiff(cmd.Context(), t, params, names, patch)
		},
	}
	cmd.Flags().BoolVar(&names, "names", false, "show which files have changed, not how")
	cmd.Flags().BoolVar(&patch, "patch", false, "print patches for git apply, and nothing else")
	cmd.MarkFlagsMutuallyExclusive("names", "patch")
	return cmd
}

func showDiff(ctx context.Context, t *terminal, params handlers.DiffParams, names, patch bool) error {
	return callAndPrint(ctx, t, "vm/diff", params, func(w io.Writer, p show.Palette, d handlers.DiffResult) error {
		if patch {
			return writePatches(w, d)
		}
		var out strings.Builder
		for _, f := range d.Files {
			fmt.Fprintf(&out, "%s %s", p.Paint(changeColour(f.Change), f.Change), p.Paint(show.Bold, show.Line(f.Path)))
			if remarks := remarks(f); len(remarks) > 0 {
				fmt.Fprintf(&out, " (%s)", show.Line(strings.Join(remarks, ", ")))
			}
			out.WriteByte('\n')
			if !names {
				out.WriteString(show.Diff(p, f.Patch, patchLines))
			}
		}
		_, err := io.WriteString(w, out.String())
		switch {
		case len(d.Files) == 0:
			t.say("Nothing has changed.")
		case d.More:
			t.say("There are more; vm ls and vm cp show what is there.")
		}
		return err
	})
}

// patchLines is how much is shown of one file.
const patchLines = 200

// writePatches writes what git can apply, as it is.
func writePatches(w io.Writer, d handlers.DiffResult) error {
	for _, f := range d.Files {
		if _, err := io.WriteString(w, f.Patch); err != nil {
			return err
		}
	}
	return nil
}

// remarks are what there is to say of a change beside its path and patch.
func remarks(f handlers.FileDiff) []string {
	var remarks []string
	if f.Type != "file" {
		remarks = append(remarks, f.Type)
	} else if f.Change != "deleted" {
		remarks = append(remarks, show.Bytes(f.SizeBytes))
	}
	switch {
	case f.RenamedFrom != "":
		remarks = append(remarks, "was "+f.RenamedFrom)
	case f.RenamedTo != "":
		remarks = append(remarks, "is now "+f.RenamedTo)
	case f.NoPatch != "":
		remarks = append(remarks, notShown[f.NoPatch])
	}
	return remarks
}

// notShown are the reasons for a file to be without a patch.
var notShown = map[string]string{
	"binary":   "binary",
	"large":    "not shown: it is large",
	"limit":    "not shown: there is too much",
	"vanished": "not shown: it has changed again",
}

func changeColour(change string) show.Colour {
	switch change {
	case "created":
		return show.Green
	case "deleted":
		return show.Red
	}
	return show.Yellow
}

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

func templateCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "template",
		GroupID: groupVM,
		Short:   "List, make and delete templates of VMs",
		Long: `A template says what a VM is made of: language, image, limits, environment,
network, files, packages, and a script that sets it up. There is one for each
language, and data-science, web and testing with packages; make your own from
flags, from a YAML file, or from a devcontainer.json.`,
		Example: `  vm template create web --language python --memory 1G --setup setup.sh
  vm create shop --template web`,
		Args: known,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddGroup(&cobra.Group{ID: groupVM, Title: "Templates"})
	cmd.AddCommand(templateListCommand(t), templateCreateCommand(t), templateDeleteCommand(t))
	return cmd
}

func templateListCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:               "list",
		Aliases:           []string{"ls"},
		GroupID:           groupVM,
		Short:             "List templates, the built-in ones first",
		Args:              takes(0, 0),
		ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return callAndPrint(cmd.Context(), t, "vm/templates", handlers.NoParams{}, func(_ io.Writer, _ show.Palette, list []handlers.Template) error {
				return t.table(templateTable(list))
			})
		},
	}
}

// templateTable lays templates out.
func templateTable(templates []handlers.Template) ([]show.Column, [][]show.Cell) {
	columns := []show.Column{
		{Title: "NAME", Least: 12}, {Title: "LANGUAGE", Least: 8}, {Title: "IMAGE", Least: 8, Drop: 2}, {Title: "LIMITS", Least: 8, Drop: 1},
		{Title: "PACKAGES", Least: 8, Drop: 4}, {Title: "SET-UP", Drop: 3}, {Title: "DESCRIPTION", Least: 12},
	}
	var rows [][]show.Cell
	for _, template := range templates {
		setup := ""
		if template.Setup != "" {
			setup = show.Count(strings.Count(template.Setup, "\n")+1, "line", "lines")
		}
		row := show.Cells(template.Name, template.Language, template.Image, templateLimits(template.Limits), strings.Join(template.Packages, ", "), setup, template.Description)
		row[0].Colour = show.Bold
		if template.BuiltIn {
			row[0].Colour = show.Dim
		}
		rows = append(rows, row)
	}
	return columns, rows
}

// templateLimits words the limits that a template sets.
func templateLimits(l handlers.TemplateLimits) string {
	var list []string
	if l.CPU != 0 {
		list = append(list, show.Cores(l.CPU))
	}
	if l.Memory != 0 {
		list = append(list, show.Size(float64(l.Memory)))
	}
	if l.Disk != 0 {
		list = append(list, show.Size(float64(l.Disk))+" disk")
	}
	if l.Pids != 0 {
		list = append(list, fmt.Sprintf("%d processes", l.Pids))
	}
	return strings.Join(list, ", ")
}

func templateDeleteCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:               "delete <name>",
		Aliases:           []string{"rm"},
		GroupID:           groupVM,
		Short:             "Remove a template; VMs made from it stay",
		Args:              takes(1, 1),
		ValidArgsFunction: t.templateNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return callAndPrint(cmd.Context(), t, "vm/deleteTemplate", handlers.TemplateParams{Name: args[0]},
				func(w io.Writer, p show.Palette, _ handlers.Empty) error {
					_, err := fmt.Fprintf(w, "Template %s is deleted\n", p.Paint(show.Bold, args[0]))
					return err
				})
		},
	}
}

// createTemplate keeps a template and says what of a devcontainer.json it leaves
// out.
func createTemplate(ctx context.Context, t *terminal, params map[string]any) error {
	return callAndPrint(ctx, t, "vm/createTemplate", params, func(w io.Writer, p show.Palette, r handlers.CreateTemplateResult) error {
		if _, err := fmt.Fprintf(w, "Template %s is kept\n", p.Paint(show.Bold, r.Name)); err != nil {
			return err
		}
		for _, u := range r.Unsupported {
			t.say("%s %s is left out: %s", p.Paint(show.Yellow, "vm:"), u.Property, u.Reason)
		}
		t.say("%s vm create NAME --template %s", p.Paint(show.Dim, "next:"), r.Name)
		return nil
	})
}

// templateNames offers the templates.
func (t *terminal) templateNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	templates, err := call[[]handlers.Template](cmd.Context(), t, "vm/templates", handlers.NoParams{})
	if err != nil {
		return nil, noFiles
	}
	var names []string
	for _, template := range templates {
		names = append(names, template.Name+"\t"+template.Description)
	}
	return names, noFiles
}

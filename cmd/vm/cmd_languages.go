package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func languagesCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "languages",
		GroupID: groupPool,
		Short:   "List languages and where they can run",
		Long: `List languages and where they can run right now, without a download. Others run
too when their image can be pulled. The configuration adds languages.`,
		Example:           `  vm languages --json`,
		Args:              takes(0, 0),
		ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return callAndPrint(cmd.Context(), t, "vm/languages", handlers.NoParams{}, t.writeLanguages)
		},
	}
}

func (t *terminal) writeLanguages(_ io.Writer, _ show.Palette, r handlers.LanguagesResult) error {
	columns := []show.Column{{Title: "LANGUAGE"}, {Title: "NAME"}, {Title: "FILES", Least: 5, Drop: 1}, {Title: "PACKAGES", Drop: 2}, {Title: "RUNS NOW ON"}}
	var rows [][]show.Cell
	for _, l := range r.Languages {
		row := show.Cells(l.ID, l.Name, strings.Join(l.Extensions, " "), l.Manager, strings.Join(l.Runtimes, ", "))
		row[0].Colour, row[4].Colour = show.Bold, show.Green
		if len(l.Runtimes) == 0 {
			row[4] = show.Cell{Text: "an image, once pulled", Colour: show.Dim}
		}
		rows = append(rows, row)
	}
	return t.table(columns, rows)
}

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func poolCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:               "pool",
		GroupID:           groupPool,
		Short:             "Show quotas, runtimes and the host",
		Example:           `  vm pool --json`,
		Args:              takes(0, 0),
		ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return callAndPrint(cmd.Context(), t, "vm/poolStatus", handlers.NoParams{}, t.writePool)
		},
	}
}

func (t *terminal) writePool(w io.Writer, p show.Palette, r handlers.PoolStatusResult) error {
	var byStatus []string
	for _, status := range statuses {
		if n := r.ByStatus[status]; n > 0 {
			byStatus = append(byStatus, fmt.Sprintf("%d %s", n, p.Paint(statusColour(status), status)))
		}
	}
	fields := []show.Field{
		{Name: "yours", Value: strings.TrimSuffix(fmt.Sprintf("%d of %s; %s", r.User.Used, show.Count(r.User.Limit, "VM", "VMs"), strings.Join(byStatus, ", ")), "; ")},
		{Name: "in all", Value: fmt.Sprintf("%d of %s", r.Total.Used, show.Count(r.Total.Limit, "VM", "VMs"))},
		{Name: "scratch", Value: fmt.Sprintf("%d running", r.Warm)},
		{Name: "host", Value: hostText(r.Host)},
	}
	if r.Credits != nil {
		fields = append(fields, show.Field{Name: "credits", Value: fmt.Sprintf("%.2f", *r.Credits)})
	}
	if err := show.Fields(w, p, fields); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return t.table(runtimeTable(r.Runtimes))
}

func hostText(h handlers.Host) string {
	text := fmt.Sprintf("%s/%s, %s", h.OS, h.Arch, show.Cores(float64(h.CPUs)))
	if h.MemoryMiB > 0 {
		text += fmt.Sprintf(", %s memory, %s of it free", show.Size(float64(h.MemoryMiB)), show.Size(float64(h.MemoryFreeMiB)))
	}
	return text
}

// runtimeTable lays out how hard each runtime holds each limit.
func runtimeTable(runtimes []handlers.RuntimeState) ([]show.Column, [][]show.Cell) {
	columns := []show.Column{
		{Title: "RUNTIME"}, {Title: "WORKS"}, {Title: "CPU"}, {Title: "MEMORY"}, {Title: "DISK"}, {Title: "PROCESSES"}, {Title: "NETWORK"}, {Title: "VERSION", Least: 8, Drop: 1},
	}
	var rows [][]show.Cell
	for _, r := range runtimes {
		if !r.Available {
			row := show.Cells(r.Name, "no", "", "", "", "", "", "")
			row[1].Colour = show.Red
			rows = append(rows, row)
			continue
		}
		row := show.Cells(r.Name, "yes", "", "", "", "", "", r.Version)
		row[1].Colour = show.Green
		held := []string{string(r.Enforcement.CPU), string(r.Enforcement.Memory), string(r.Enforcement.Disk), string(r.Enforcement.Pids), string(r.Enforcement.Network)}
		for i, strength := range held {
			row[2+i] = show.Cell{Text: strength, Colour: strengthColour(strength)}
		}
		rows = append(rows, row)
	}
	return columns, rows
}

// strengthColour is how a limit's strength looks.
func strengthColour(strength string) show.Colour {
	switch strength {
	case "hard":
		return show.Green
	case "watched":
		return show.Yellow
	}
	return show.Red
}

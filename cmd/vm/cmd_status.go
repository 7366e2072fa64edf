package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func statusCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "status <vm>",
		GroupID: groupVM,
		Short:   "Show a VM, what it uses and what runs in it",
		Example: `  vm status web
  vm status web --json`,
		Args:              takes(1, 1),
		ValidArgsFunction: t.vmNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			params := handlers.IDParams{ID: handlers.ParseID(args[0]), Tokens: withProgress}
			if err := t.catchUp(cmd.Context()); err != nil {
				return err
			}
			return callAndPrint(cmd.Context(), t, "vm/status", params, t.writeStatus)
		},
	}
}

func (t *terminal) writeStatus(w io.Writer, p show.Palette, r handlers.StatusResult) error {
	vm, now := r.VM, time.Now()
	if _, err := fmt.Fprintf(w, "%s  %s  %s\n", p.Paint(show.Bold, vm.Name), p.Paint(statusColour(vm.Status), vm.Status), madeOf(vm)); err != nil {
		return err
	}
	if err := show.Fields(w, p, statusFields(r, now)); err != nil {
		return err
	}
	if len(r.RunningExecutions) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return t.table(executionTable(r.RunningExecutions, now))
}

func statusFields(r handlers.StatusResult, now time.Time) []show.Field {
	vm := r.VM
	fields := []show.Field{
		{Name: "id", Value: strconv.FormatInt(vm.ID, 10)},
		{Name: "error", Value: show.Line(vm.Error)},
		{Name: "made", Value: show.Ago(now, vm.CreatedAt) + " by " + show.Line(vm.User)},
	}
	if vm.Status == "running" {
		fields = append(fields, show.Field{Name: "up for", Value: show.Seconds(r.Stats.Uptime)})
		fields = append(fields, useFields(r)...)
	} else {
		if vm.StoppedAt != nil {
			fields = append(fields, show.Field{Name: "stopped", Value: show.Ago(now, *vm.StoppedAt)})
		}
		fields = append(fields, limitFields(vm)...)
	}
	fields = append(fields, show.Field{Name: "timeout", Value: show.Seconds(vm.Timeout)})
	if vm.IdleTimeout > 0 {
		fields = append(fields, show.Field{Name: "idle", Value: "stopped after " + show.Seconds(vm.IdleTimeout) + " without use"})
	}
	if vm.ExpiresAt != nil {
		fields = append(fields, show.Field{Name: "expires", Value: show.Until(now, *vm.ExpiresAt)})
	}
	return append(fields, show.Field{Name: "address", Value: vm.IP}, show.Field{Name: "labels", Value: labelsText(vm.Labels)},
		show.Field{Name: "engine id", Value: vm.ContainerID})
}

// useFields are the limits of a running VM with how much of each is used.
func useFields(r handlers.StatusResult) []show.Field {
	fields := limitFields(r.VM)
	used := map[string]string{
		"cpu":       fmt.Sprintf("%.0f %% of ", r.Stats.CPUPercent),
		"memory":    show.Size(float64(r.Stats.MemoryMiB)) + " of ",
		"disk":      show.Size(float64(r.Stats.DiskMiB)) + " of ",
		"processes": strconv.Itoa(r.Stats.Pids) + " of ",
	}
	for i := range fields {
		fields[i].Value = used[fields[i].Name] + fields[i].Value
	}
	return fields
}

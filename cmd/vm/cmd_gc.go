package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func gcCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "gc",
		GroupID: groupPool,
		Short:   "Tidy up now: leftovers, idle and expired VMs",
		Long: `Compare the database with the engines and put both in order: remove machines
that no VM has, and what templates were built as that are gone or say something
else now; take over what dead processes left half-done, stop idle VMs and delete
expired ones. vm serve does the same by itself.`,
		Example:           `  vm gc`,
		Args:              takes(0, 0),
		ValidArgsFunction: words(),
		RunE:              func(cmd *cobra.Command, _ []string) error { return gc(cmd.Context(), t) },
	}
}

// gcResult is what gc did, for --json.
type gcResult struct {
	Machines []string `json:"machines"` // machines without a VM that were removed, by their engine's name
	Deleted  []string `json:"deleted"`  // VMs
	Changed  []string `json:"changed"`  // VMs whose status is another now
	Builds   []string `json:"builds"`   // what VMs are made from, and no more were
}

func gc(ctx context.Context, t *terminal) error {
	removed := &removals{list: map[string][]string{}}
	settings, err := t.settings()
	if err != nil {
		return err
	}
	if err := t.openAs(ctx, settings, slog.New(removed.beside(t.log().Handler()))); err != nil {
		return err
	}
	before, err := vmsByID(ctx, t)
	if err != nil {
		return err
	}
	t.status.begin("Comparing the database with the engines")
	err = t.scope.Reconcile(ctx)
	if err == nil {
		err = t.scope.Sweep(ctx)
	}
	t.status.end()
	if err != nil {
		return err
	}
	after, err := vmsByID(ctx, t)
	if err != nil {
		return err
	}
	result := compared(before, after)
	result.Machines, result.Builds = removed.all("machine"), removed.all("build")
	if t.json {
		return writeJSON(t.stdout, result)
	}
	return t.tellTidied(result)
}

// vmsByID are all users' VMs.
func vmsByID(ctx context.Context, t *terminal) (map[int64]handlers.VM, error) {
	result, err := call[handlers.ListResult](ctx, t, "vm/list", handlers.ListParams{AllUsers: true})
	vms := map[int64]handlers.VM{}
	for _, vm := range result.VMs {
		vms[vm.ID] = vm
	}
	return vms, err
}

// compared tells what happened to VMs between two lists.
func compared(before, after map[int64]handlers.VM) gcResult {
	result := gcResult{Machines: []string{}, Deleted: []string{}, Changed: []string{}}
	for _, id := range sortedKeys(before) {
		was := before[id]
		is, there := after[id]
		switch {
		case !there:
			result.Deleted = append(result.Deleted, was.Name)
		case is.Status != was.Status:
			result.Changed = append(result.Changed, fmt.Sprintf("%s: %s, was %s", is.Name, is.Status, was.Status))
		}
	}
	return result
}

func (t *terminal) tellTidied(r gcResult) error {
	p := t.palette(t.stdout)
	for _, part := range []struct {
		what string
		list []string
	}{
		{"removed a machine that no VM had:", r.Machines},
		{"removed what VMs were made from and are no more:", r.Builds},
		{"deleted VM", r.Deleted},
		{"VM", r.Changed},
	} {
		for _, item := range part.list {
			if _, err := fmt.Fprintf(t.stdout, "%s %s\n", part.what, p.Paint(show.Bold, item)); err != nil {
				return err
			}
		}
	}
	if len(r.Machines)+len(r.Builds)+len(r.Deleted)+len(r.Changed) == 0 {
		t.say("Everything is in order.")
	}
	return nil
}

// removals listens to the pool's log for machines and builds that it removes:
// their rows are not there to be compared.
type removals struct {
	mu   sync.Mutex
	list map[string][]string // by the name of the log's attribute
}

// all are those of one kind.
func (r *removals) all(kind string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.list[kind]...)
}

// beside listens and passes everything on.
func (r *removals) beside(next slog.Handler) slog.Handler { return removalsHandler{r, next} }

type removalsHandler struct {
	*removals
	slog.Handler
}

// Enabled implements slog.Handler.
func (h removalsHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h removalsHandler) Handle(ctx context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "machine" || a.Key == "build" {
			h.mu.Lock()
			h.list[a.Key] = append(h.list[a.Key], a.Value.String())
			h.mu.Unlock()
		}
		return true
	})
	if !h.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, record)
}

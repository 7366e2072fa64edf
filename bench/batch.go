package main

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/itechsmart/vm/handlers"
)

const (
	// batchSize is how many VMs compute side by side.
	batchSize = 10
	// batchWork computes for some 200 ms on one core, in Python.
	batchWork = "x = 0\nfor i in range(3_000_000): x += i"
)

// batchOfTen measures what running the same work in ten VMs side by side costs
// beside running it in ten processes, on the same cores.
func batchOfTen(ctx context.Context, p *places, n int) (table, error) {
	python, err := p.same(ctx, "python3")
	if err != nil {
		return table{}, err
	}
	s := p.servers[0]
	vms, err := s.createBatch(ctx)
	defer s.deleteBatch(vms)
	if err != nil {
		return table{}, err
	}
	return measure(ctx, max(1, n/5), []contender{
		{name: fmt.Sprintf("%d bare `python3 -c` on the host", batchSize), do: func(ctx context.Context) error { return sideBySide(ctx, python) }},
		{name: fmt.Sprintf("vm/batchExecute in %d VMs, %s", batchSize, s.name), do: func(ctx context.Context) error { return s.batch(ctx, vms) }},
	})
}

// createBatch makes the VMs of a batch; those that were made when it fails come
// with the error.
func (s *place) createBatch(ctx context.Context) (vms []string, err error) {
	for i := range batchSize {
		name := fmt.Sprintf("batch%d", i)
		if err := s.client.Call(ctx, "vm/create", map[string]any{"name": name, "language": "python"}, nil); err != nil {
			return vms, err
		}
		vms = append(vms, name)
	}
	return vms, nil
}

func (s *place) deleteBatch(vms []string) {
	for _, vm := range vms {
		_ = s.client.Call(context.Background(), "vm/delete", map[string]any{"id": vm, "force": true}, nil) // the place's state goes too
	}
}

// sideBySide runs the work in bare processes.
func sideBySide(ctx context.Context, python string) error {
	var running []*exec.Cmd
	for range batchSize {
		cmd := exec.CommandContext(ctx, python, "-c", batchWork)
		if err := cmd.Start(); err != nil {
			return err
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// batch runs the work in VMs and expects all of them to exit with 0.
func (s *place) batch(ctx context.Context, vms []string) error {
	var r handlers.BatchResult
	if err := s.client.Call(ctx, "vm/batchExecute", map[string]any{"vmIds": vms, "code": batchWork, "maxParallel": batchSize}, &r); err != nil {
		return err
	}
	if len(r.Groups) != 1 || len(r.Groups[0].VMIDs) != batchSize || r.Groups[0].ExitCode != 0 {
		return fmt.Errorf("the VMs did not all exit with 0: %+v", r.Results)
	}
	return nil
}

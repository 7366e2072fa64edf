package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/handlers"
)

func batchCommand(t *terminal) *cobra.Command {
	var f codeFlags
	var vms, matrix []string
	var parallel int
	var failFast bool
	var report string
	cmd := &cobra.Command{
		Use:     "batch <code> [-- <argument>...]",
		GroupID: groupRun,
		Short:   "Run code in several VMs and compare",
		Long: `Run code in several VMs side by side: in all running ones, in those that --vm
names, or in new ones of the languages that --matrix names, which are removed
when it has ended.
Each one's output comes as it is written, behind the VM's name; in the end a
table compares them, and where they do not agree, a diff shows how each answer
differs from that of most.`,
		Example: `  vm batch 'import sys; print(sys.version)'
  vm batch -f check.py --vm web,worker --timeout 10s --fail-fast
  vm batch -f check.py --matrix python@3.11,python@3.12 --junit report.xml`,
		Annotations: map[string]string{annotationRuns: "programs", annotationExit: `0    every program exited with 0
1    some did not
125  vm could not run any
130  cancelled, with Ctrl-C`},
		ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(vms) > 0 && len(matrix) > 0 {
				return usage("choose one of them", "--vm runs the code in VMs that are there, --matrix in new ones")
			}
			c, err := f.read(cmd, t, args)
			if err != nil {
				return err
			}
			params := handlers.BatchParams{Run: c.Run, Matrix: matrix, MaxParallel: parallel, FailFast: failFast}
			if len(matrix) > 0 {
				params.Language = f.language // the matrix says it, not the file's name
			}
			for _, vm := range vms {
				params.VMIDs = append(params.VMIDs, handlers.ParseID(vm))
			}
			file, err := newJUnitFile(report, suiteName(f.from))
			if err != nil {
				return err
			}
			defer file.discard()
			return batch(cmd.Context(), t, params, file)
		},
	}
	f.add(cmd, t)
	cmd.Flags().StringSliceVar(&vms, "vm", nil, "run it in these `VMs`, by name or id, with commas between")
	cmd.Flags().StringSliceVar(&matrix, "matrix", nil, "make VMs of these `languages`, such as python@3.11,python@3.12")
	cmd.Flags().IntVar(&parallel, "parallel", 0, "in how `many` VMs at once (default 10)")
	cmd.Flags().BoolVar(&failFast, "fail-fast", false, "end all of it at the first failure")
	cmd.Flags().StringVar(&report, "junit", "", "write a JUnit report for CI to this `file`")
	completeFlag(cmd, "vm", t.vmNames(0))
	completeFlag(cmd, "matrix", t.languageNames)
	return cmd
}

func batch(ctx context.Context, t *terminal, params handlers.BatchParams, report *junitFile) error {
	matrix := len(params.Matrix) > 0
	result, err := runBatch(ctx, t, params)
	if err == nil {
		err = report.write(result, matrix)
	}
	switch {
	case err != nil:
		return err
	case t.json:
		err = writeJSON(t.stdout, result)
	default:
		err = t.compare(result, matrix)
	}
	if err != nil {
		return err
	}
	return batchOutcome(result)
}

// runBatch runs the code and shows what it prints.
func runBatch(ctx context.Context, t *terminal, params handlers.BatchParams) (handlers.BatchResult, error) {
	if t.json {
		return call[handlers.BatchResult](ctx, t, "vm/batchExecute", params)
	}
	vms, err := call[handlers.ListResult](ctx, t, "vm/list", handlers.ListParams{})
	if err != nil {
		return handlers.BatchResult{}, err
	}
	params.Tokens = withProgress
	out := t.newBatchOutput(ctx, vms.VMs, params)
	t.client.output = out.take
	defer out.flush()
	return call[handlers.BatchResult](ctx, t, "vm/batchExecute", params)
}

// suiteName is what a report calls the code of a batch.
func suiteName(from string) string {
	if from == "" || from == fromStdin {
		return "vm batch"
	}
	return filepath.Base(from)
}

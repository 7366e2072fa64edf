// Command bench measures the whole program beside the bare machine and beside
// docker exec, in one run, and writes docs/benchmarks.md. Trust the ratios: they
// come from samples taken in turn, so a machine that is slow for a while is slow
// for all.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
)

func main() {
	samples := flag.Int("samples", 50, "samples of each cheap action; dear ones take a fifth")
	out := flag.String("o", "docs/benchmarks.md", "file to write")
	only := flag.String("only", "", "measure only the tables whose titles match this regular expression, and write no file")
	flag.Parse()
	if err := run(context.Background(), *samples, *out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// suites are what is measured, in the order of the document.
var suites = []struct {
	title   string
	measure func(ctx context.Context, p *places, samples int) (table, error)
}{
	{"Execute `true` in Bash", executeTrue},
	{"Execute a Python one-liner", executePython},
	{"Python: an interpreter that is started, forked, or kept", interpreters},
	{"Create and delete", createAndDelete},
	{fmt.Sprintf("The same computation %d times side by side", batchSize), batchOfTen},
	{"Start", startServer},
	{"Snapshot of a running VM, by what was written since the last", takeSnapshots},
	{"Restore", restoreSnapshots},
	{"Fork of a running VM: a snapshot, and a VM made of it", forkVMs},
}

// run measures everything that this machine has engines for.
func run(ctx context.Context, samples int, out, only string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	p, err := openPlaces(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	var tables []table
	for _, suite := range suites {
		if !wanted.MatchString(suite.title) {
			continue
		}
		t, err := suite.measure(ctx, p, samples)
		if err != nil {
			return fmt.Errorf("%s: %w", suite.title, err)
		}
		t.title = suite.title
		fmt.Println(t.markdown())
		tables = append(tables, t)
	}
	if only != "" {
		return nil
	}
	memory, err := idleMemory(ctx, p)
	if err != nil {
		return err
	}
	fmt.Println(memory)
	return os.WriteFile(out, []byte(report(tables, memory)), 0o644)
}

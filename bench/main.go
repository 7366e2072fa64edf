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
)

func main() {
	samples := flag.Int("samples", 50, "samples of each cheap action; dear ones take a fifth")
	out := flag.String("o", "docs/benchmarks.md", "file to write")
	flag.Parse()
	if err := run(context.Background(), *samples, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures everything that this machine has engines for.
func run(ctx context.Context, samples int, out string) error {
	p, err := openPlaces(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	var tables []table
	for _, suite := range []func(context.Context, *places, int) (table, error){
		executeTrue, executePython, createAndDelete, batchOfTen, startServer,
	} {
		t, err := suite(ctx, p, samples)
		if err != nil {
			return err
		}
		fmt.Println(t.markdown())
		tables = append(tables, t)
	}
	memory, err := idleMemory(ctx, p)
	if err != nil {
		return err
	}
	fmt.Println(memory)
	return os.WriteFile(out, []byte(report(tables, memory)), 0o644)
}

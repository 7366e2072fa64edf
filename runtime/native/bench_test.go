//go:build linux

package native_test

import (
	"slices"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/native"
)

// BenchmarkMachine makes a machine, runs a program in it and removes it. It
// reports the median of each step, in milliseconds.
func BenchmarkMachine(b *testing.B) {
	program, err := builtAgent()
	if err != nil {
		b.Fatal(err)
	}
	driver := native.New(native.Options{StateDir: b.TempDir(), Path: "/usr/bin:/bin", Agent: program})
	ctx := b.Context()
	if _, err := driver.Probe(ctx); err != nil {
		b.Skip(err)
	}
	steps := map[string][]time.Duration{}
	began := time.Now()
	step := func(name string) {
		steps[name] = append(steps[name], time.Since(began))
		began = time.Now()
	}
	vm := int64(0)
	for b.Loop() {
		vm++
		s := spec(vm)
		began = time.Now()
		if _, err := driver.Create(ctx, s, nil); err != nil {
			b.Fatal(err)
		}
		step("create-ms")
		stream, err := driver.Open(ctx, s.Ref)
		if err != nil {
			b.Fatal(err)
		}
		client, err := agent.NewClient(stream)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := client.Run(ctx, agent.Run{ID: "first", Command: []string{"true"}}, nil); err != nil {
			b.Fatal(err)
		}
		step("run-ms")
		if err := client.Close(); err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		if err := driver.Destroy(ctx, s.Ref); err != nil {
			b.Fatal(err)
		}
		step("destroy-ms")
	}
	for name, times := range steps {
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, name)
	}
}

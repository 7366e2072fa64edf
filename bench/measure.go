package main

import (
	"context"
	"fmt"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"time"
)

// contender is one way of doing an action. The first of a table is what the
// others are compared with.
type contender struct {
	name string
	do   func(ctx context.Context) error
	// prepare and clear are done before and after each time; they do not count.
	// They may be nil.
	prepare, clear func(ctx context.Context) error
}

// once does the action and returns how long it took.
func (c contender) once(ctx context.Context) (time.Duration, error) {
	if c.prepare != nil {
		if err := c.prepare(ctx); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	err := c.do(ctx)
	took := time.Since(start)
	if err == nil && c.clear != nil {
		err = c.clear(ctx)
	}
	return took, err
}

// table holds the times of contenders for one action.
type table struct {
	title string
	rows  []row
}

type row struct {
	name  string
	times []time.Duration // sorted
}

func (r row) quantile(q float64) time.Duration {
	return r.times[int(q*float64(len(r.times)-1))]
}

// measure lets the contenders do their action in turn, n times each, after one
// turn that is not counted.
func measure(ctx context.Context, n int, contenders []contender) (t table, err error) {
	for _, c := range contenders {
		t.rows = append(t.rows, row{name: c.name})
	}
	for turn := -1; turn < n; turn++ {
		for i, c := range contenders {
			took, err := c.once(ctx)
			if err != nil {
				return t, fmt.Errorf("%s: %w", c.name, err)
			}
			if turn >= 0 {
				t.rows[i].times = append(t.rows[i].times, took)
			}
		}
	}
	for _, r := range t.rows {
		slices.Sort(r.times)
	}
	return t, nil
}

// markdown writes medians, the spread from the 10th to the 90th percentile, and
// the ratio of the medians to the first row's.
func (t table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n| | median | 10th to 90th percentile | ratio |\n|---|---:|---:|---:|\n", t.title)
	base := t.rows[0].quantile(0.5)
	for _, r := range t.rows {
		median := r.quantile(0.5)
		fmt.Fprintf(&b, "| %s | %s | %s to %s | %.2f |\n", r.name, ms(median), ms(r.quantile(0.1)), ms(r.quantile(0.9)),
			float64(median)/float64(base))
	}
	return b.String()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }

// report is the whole document.
func report(tables []table, memory string) string {
	var b strings.Builder
	b.WriteString("<!-- Written by `make bench`. Do not edit. -->\n# Benchmarks\n\n")
	fmt.Fprintf(&b, "One run of `make bench` on %s, %s/%s, %d cores, %s. Ratios are to the first row of a table. Samples were taken in turn.\n\n",
		time.Now().UTC().Format("2006-01-02"), goruntime.GOOS, goruntime.GOARCH, goruntime.NumCPU(), kernel())
	b.WriteString("Every `vm/execute` is a whole round trip over standard input and output: decoded, checked, recorded in the database as begun, run in the sandbox, recorded as ended, answered.\n")
	for _, t := range tables {
		b.WriteString("\n" + t.markdown())
	}
	b.WriteString("\n" + memory)
	return b.String()
}

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "kernel unknown"
	}
	return "Linux " + strings.TrimSpace(string(release))
}

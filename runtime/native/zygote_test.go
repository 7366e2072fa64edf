//go:build linux

package native_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

// TestZygoteAndSnapshots: an interpreter that waits, or is about to, is no reason
// to copy a layer, and what is forked from it is at home in the new one.
func TestZygoteAndSnapshots(t *testing.T) {
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skipf("this machine has no Python for machines: %v", err)
	}
	d := nativeDriver(t, t.TempDir())
	snapshots := snapshotter(t, d)
	s := spec(1)
	s.Limits.DiskMiB = 256
	makeMachine(t, d, s)
	stream, err := d.Open(t.Context(), s.Ref)
	must(t, err)
	client, err := agent.NewClient(stream)
	must(t, err)
	t.Cleanup(func() { _ = client.Close() }) // the machine goes anyway
	table, err := lang.New(nil)
	must(t, err)
	python, _, err := table.Find("python")
	must(t, err)
	runs := 0
	execute := func(code string) agent.Result {
		t.Helper()
		runs++
		run := python.Plan([]byte(code), nil, lang.PlanOptions{ID: fmt.Sprint("zygote-", runs), Host: true})
		run.Timeout = time.Minute
		r, err := client.Run(t.Context(), run, nil)
		must(t, err)
		if r.ExitCode != 0 {
			t.Fatalf("%q: %s\n%s", code, r.Verdict, r.Stderr.Head)
		}
		return r
	}
	if v := execute("import sys; print((3, 10) <= sys.version_info[:2] <= (3, 12))"); string(v.Stdout.Head) == "False\n" {
		t.Skip("programs are forked from Python 3.10 to 3.12")
	}
	// More than would be copied at once; see copiedBytes.
	execute("open('large', 'wb').write(b'x' * (6 << 20))")
	for i := range 12 {
		execute(fmt.Sprintf("open('lines', 'a').write('%d ')", i))
		_, err := snapshots.Snapshot(t.Context(), s.Ref, fmt.Sprint("s", i), true, nil)
		must(t, err)
		execute("open('large', 'r+b').write(b'y' * (6 << 20))")
	}
	const show = "print(open('lines').read(), open('large').read(1))"
	r := execute(show)
	for deadline := time.Now().Add(time.Minute); !r.Forked; r = execute(show) {
		if time.Now().After(deadline) {
			t.Fatal("no interpreter waits")
		}
	}
	if got := string(r.Stdout.Head); got != "0 1 2 3 4 5 6 7 8 9 10 11  y\n" {
		t.Errorf("after the snapshots: %q", got)
	}
	_, err = snapshots.Restore(t.Context(), s.Ref, "s5")
	must(t, err)
	if got := shell(t, d, s.Ref, "cat lines"); strings.TrimSpace(got) != "0 1 2 3 4 5" {
		t.Errorf("after a restore: %q", got)
	}
}

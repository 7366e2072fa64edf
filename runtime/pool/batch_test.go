package pool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/pool"
)

// answer is what a VM of that name gave in a batch.
func answer(name, output string, exit int) pool.BatchItem {
	return pool.BatchItem{VM: db.VirtualMachine{Name: name}, Execution: db.Execution{Output: []byte(output), ExitCode: exit}}
}

func TestCompare(t *testing.T) {
	notRun := pool.BatchItem{VM: db.VirtualMachine{Name: "broken"}, Err: errors.New("not run")}
	for name, c := range map[string]struct {
		items []pool.BatchItem
		want  string
	}{
		"nothing": {nil, ""},
		"not run": {[]pool.BatchItem{notRun}, ""},
		"all alike": {
			[]pool.BatchItem{answer("a", "x\n", 0), answer("b", "x\n", 0)},
			"a b: exit 0, majority\n",
		},
		"the largest is the majority": {
			[]pool.BatchItem{answer("a", "1\n2\n", 0), answer("b", "1\n3\n", 0), notRun, answer("c", "1\n3\n", 0)},
			"b c: exit 0, majority\na: exit 0\n--- b, c\n+++ a\n@@ -1,2 +1,2 @@\n 1\n-3\n+2\n",
		},
		"equally large": {
			[]pool.BatchItem{answer("a", "x\n", 0), answer("b", "y\n", 0)},
			"a: exit 0, majority\nb: exit 0\n--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n",
		},
		"another exit code alone": {
			[]pool.BatchItem{answer("a", "x\n", 0), answer("b", "x\n", 1)},
			"a: exit 0, majority\nb: exit 1\n",
		},
		"bytes that are no text": {
			[]pool.BatchItem{answer("a", "\xff\n", 0), answer("b", "y", 0)},
			"a: exit 0, majority\nb: exit 0\n--- a\n+++ b\n@@ -1 +1 @@\n-\uFFFD\n+y\n\\ No newline at end of file\n",
		},
		"many VMs": {
			[]pool.BatchItem{answer("a", "", 0), answer("b", "", 0), answer("c", "", 0), answer("d", "", 0), answer("e", "", 0), answer("f", "y\n", 0)},
			"a b c d e: exit 0, majority\nf: exit 0\n--- a, b, c and 2 more\n+++ f\n@@ -0,0 +1 @@\n+y\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, describe(pool.Compare(c.items))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// describe writes groups for comparison.
func describe(groups []pool.BatchGroup) string {
	var b strings.Builder
	for _, g := range groups {
		var names []string
		for _, vm := range g.VMs {
			names = append(names, vm.Name)
		}
		fmt.Fprintf(&b, "%s: exit %d", strings.Join(names, " "), g.ExitCode)
		if g.Majority {
			b.WriteString(", majority")
		}
		fmt.Fprintf(&b, "\n%s", g.Diff)
	}
	return b.String()
}

func TestADiffIsBounded(t *testing.T) {
	const lines = 100_000
	groups := pool.Compare([]pool.BatchItem{answer("a", strings.Repeat("old\n", lines), 0), answer("b", strings.Repeat("new\n", lines), 0)})
	diff := groups[1].Diff
	if len(diff) > 65<<10 {
		t.Errorf("the diff has %d bytes", len(diff))
	}
	shown := strings.Count(diff, "\n-old") + strings.Count(diff, "\n+new")
	if want := fmt.Sprintf("\n… %d more lines\n", 2*lines-shown); !strings.HasSuffix(diff, want) {
		t.Errorf("the diff ends with %q, want %q", diff[len(diff)-60:], want)
	}
}

func TestFailFastCancelsTheOthers(t *testing.T) {
	r := newRig(t)
	vms := []db.VirtualMachine{r.create(t, "slow"), r.create(t, "failing"), r.create(t, "waiting")}
	slowPrinted := make(chan struct{})
	items := r.Batch(t.Context(), vms, pool.RunRequest{Code: []byte("print begun\nread\nexit 3"), OpenStdin: true}, pool.BatchOptions{
		Parallel: 2, FailFast: true,
		Observe: func(vm db.VirtualMachine) pool.Observer {
			if vm.Name == "slow" {
				return pool.Observer{Output: func(agent.Stream, []byte) { close(slowPrinted) }}
			}
			return pool.Observer{Started: func(e db.Execution) {
				go func() {
					<-slowPrinted
					if err := r.Input(context.WithoutCancel(t.Context()), e.ID, nil, true); err != nil {
						t.Errorf("Input: %v", err)
					}
				}()
			}}
		},
	})
	byName := map[string]pool.BatchItem{}
	for _, item := range items {
		byName[item.VM.Name] = item
	}
	if e := byName["failing"].Execution; e.Verdict != "exited" || e.ExitCode != 3 {
		t.Errorf("failing: %s with exit code %d, want exited with 3", e.Verdict, e.ExitCode)
	}
	if e := byName["slow"].Execution; e.Verdict != "cancelled" || string(e.Output) != "begun\n" {
		t.Errorf("slow: %s with %q, want cancelled with what it printed", e.Verdict, e.Output)
	}
	if err := byName["waiting"].Err; !errors.Is(err, pool.ErrState) || err.Error() != "not run, because it failed in VM failing before" {
		t.Errorf("waiting: %v, want that it was not run", err)
	}
	if verdict := byName["waiting"].Execution.Verdict; verdict != "cancelled" {
		t.Errorf("waiting: verdict %q, want cancelled", verdict)
	}
}

func TestWithoutFailFastAFailureLeavesTheOthersAlone(t *testing.T) {
	r := newRig(t)
	vms := []db.VirtualMachine{r.create(t, "a"), r.create(t, "b")}
	for _, item := range r.Batch(t.Context(), vms, pool.RunRequest{Code: []byte("exit 3")}, pool.BatchOptions{Parallel: 1}) {
		if item.Err != nil || item.Execution.Verdict != "exited" || item.Execution.ExitCode != 3 {
			t.Errorf("%s: %s with exit code %d, %v; want exited with 3", item.VM.Name, item.Execution.Verdict, item.Execution.ExitCode, item.Err)
		}
	}
}

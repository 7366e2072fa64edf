package guest_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
	"github.com/itechsmart/vm/runtime/lang"
)

// Programs are forked while others of the same and of another kind come and go.
func TestForkedSideBySide(t *testing.T) {
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skipf("this machine has no Python: %v", err)
	}
	c := connect(t, newGuest(t, guest.Config{Home: openDir(t)}))
	table, err := lang.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	python, _, err := table.Find("python")
	if err != nil {
		t.Fatal(err)
	}
	execute := func(id string) agent.Result {
		run := python.Plan([]byte("import sys\nprint(sys.argv[1], (3, 10) <= sys.version_info[:2] <= (3, 12))"), []string{id}, lang.PlanOptions{ID: id})
		run.Timeout = time.Minute
		r, err := c.Run(t.Context(), run, nil)
		if text := string(r.Stdout.Head); err != nil || r.ExitCode != 0 || text != id+" True\n" && text != id+" False\n" {
			t.Errorf("%s: %s, %v", id, brief(r), err)
		}
		return r
	}
	if string(execute("first").Stdout.Head) == "first False\n" {
		t.Skip("programs are forked from Python 3.10 to 3.12")
	}
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			for n := range 6 {
				execute(fmt.Sprintf("python-%d-%d", i, n))
				if r, err := c.Run(t.Context(), sh(fmt.Sprintf("shell-%d-%d", i, n), "echo $0"), nil); err != nil || r.ExitCode != 0 {
					t.Errorf("a shell beside it: %s, %v", brief(r), err)
				}
			}
		})
	}
	all.Wait()
	deadline := time.Now().Add(time.Minute)
	for n := 0; !execute(fmt.Sprint("last-", n)).Forked; n++ {
		if time.Now().After(deadline) {
			t.Fatal("no interpreter waits")
		}
	}
}

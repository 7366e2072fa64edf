package guest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// A run that the kernel keeps killing parts of is ended: here the counters of the
// control group are the test's own.
func TestOOMStormIsEnded(t *testing.T) {
	root := t.TempDir()
	count := func(kills int) {
		t.Helper()
		for name, content := range map[string]string{
			"cgroup.controllers": "memory pids\n",
			"memory.events":      fmt.Sprintf("oom 0\noom_kill %d\n", kills),
		} {
			if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	kills := 3
	count(kills)
	c := connect(t, newGuest(t, guest.Config{Home: openDir(t), CgroupRoot: root}))
	// It goes on: the watch may begin to count after the program has.
	run := sh("storm", "while :; do echo killed; sleep 0.1; done")
	result, err := c.Run(t.Context(), run, func(agent.Stream, []byte) {
		kills += 100
		count(kills)
	})
	if err != nil || result.Verdict != agent.OutOfMemory {
		t.Errorf("got %+v, %v", result, err)
	}
}

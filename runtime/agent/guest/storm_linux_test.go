package guest_test

import (
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
	count := func(kills string) {
		t.Helper()
		for name, content := range map[string]string{
			"cgroup.controllers": "memory pids\n",
			"memory.events":      "oom 0\noom_kill " + kills + "\n",
		} {
			if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	count("3")
	c := connect(t, newGuest(t, guest.Config{Home: openDir(t), CgroupRoot: root}))
	run := sh("storm", "echo ready; exec sleep 60")
	result, err := c.Run(t.Context(), run, func(agent.Stream, []byte) { count("103") })
	if err != nil || result.Verdict != agent.OutOfMemory {
		t.Errorf("got %+v, %v", result, err)
	}
}

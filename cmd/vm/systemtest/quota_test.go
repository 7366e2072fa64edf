package systemtest

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// TestTwentyProcessesCreateAtOnce: of 20 processes that each create a VM for one
// user at the same moment, exactly 10 succeed.
func TestTwentyProcessesCreateAtOnce(t *testing.T) {
	forEach(t, func(t *testing.T, r *rig) {
		r.vm(t, "list") // the database is there, so that all begin alike
		const processes, quota = 20, 10
		var mu sync.Mutex
		made, refused := 0, 0
		var running sync.WaitGroup
		for i := range processes {
			running.Go(func() {
				out, err := r.command("--config", r.config, "create", fmt.Sprintf("vm%d", i), "bash").CombinedOutput()
				mu.Lock()
				defer mu.Unlock()
				var exit *exec.ExitError
				switch {
				case err == nil:
					made++
				case errors.As(err, &exit) && strings.Contains(string(out), "the most a user may have"):
					refused++
				default:
					t.Errorf("vm create: %v\n%s", err, out)
				}
			})
		}
		running.Wait()
		if made != quota || refused != processes-quota {
			t.Errorf("%d created and %d refused, want %d and %d", made, refused, quota, processes-quota)
		}
	})
}

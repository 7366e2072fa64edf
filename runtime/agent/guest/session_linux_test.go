package guest_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// hears is how a shell that is an interpreter waits for a request.
const hears = `hear() { IFS= read -r _; }; printf '1\0ready\0'; `

// inSession is a run in session s of an interpreter that is a shell script. The
// run's request is a line, for its argument is one.
func inSession(dir string, n int, script string) agent.Run {
	return agent.Run{
		ID: fmt.Sprint(n), Scratch: filepath.Join(dir, fmt.Sprint("run", n)),
		Command: []string{"/bin/sh", "-c", hears + script},
		Session: &agent.Session{Name: "s", Language: "sh", Args: []string{"\n"}, Scratch: filepath.Join(dir, "kernel")},
	}
}

// TestLastWordsOfKernel: an interpreter that ends while the guest listens is
// heard to its last message.
func TestLastWordsOfKernel(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	dir := openDir(t)
	for n := range 60 {
		run := inSession(dir, n, `hear; printf '1\0begun\0'; exit 7`)
		got, err := c.Run(t.Context(), run, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Verdict != agent.Exited || got.ExitCode != 7 || !strings.Contains(got.Note, "with exit code 7") {
			t.Fatalf("execution %d: %s, note %q", n, brief(got), got.Note)
		}
	}
}

// TestKernelEndsBetweenExecutions: code that an interpreter has not begun with is
// executed by the next one.
func TestKernelEndsBetweenExecutions(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	dir := openDir(t)
	const script = `hear; printf '1\0begun\0'; printf '3\0done\0%d\0\0' 0; hear; exit 9`
	for n := range 20 {
		got, err := c.Run(t.Context(), inSession(dir, n, script), nil)
		if err != nil {
			t.Fatal(err)
		}
		told := strings.Contains(got.Note, "starts anew") && strings.Contains(got.Note, "with exit code 9")
		if got.Verdict != agent.Exited || got.ExitCode != 0 || told != (n > 0) {
			t.Fatalf("execution %d: %s, note %q", n, brief(got), got.Note)
		}
	}
}

// TestKernelThatDoesNotStart is told of, with its last words.
func TestKernelThatDoesNotStart(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	run := inSession(openDir(t), 0, "")
	run.Command = []string{"/bin/sh", "-c", "echo no licence >&2; exit 5"}
	got, err := c.Run(t.Context(), run, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := string(got.Stderr.Head)
	if got.ExitCode != 126 || !strings.Contains(said, "no licence") || !strings.Contains(said, "with exit code 5") {
		t.Errorf("%s", brief(got))
	}
}

package guest_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// hideaway leaves a daemon that is hard to find and hard to kill: of a session
// of its own, forked twice, deaf to signals, and holding the outputs. %s is what
// it is called.
const hideaway = `
setsid sh -c 'trap "" TERM INT HUP QUIT; (trap "" TERM; (while :; do sleep 1000 %[1]s 2>/dev/null || sleep 1; done) & ) & sleep 1000' %[1]s &
while ! grep -lz %[1]s /proc/[0-9]*/cmdline >/dev/null 2>&1; do :; done
echo hidden
`

// marked lists the live processes that carry a mark among their arguments.
func marked(t *testing.T, mark string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		if args, err := os.ReadFile(f); err == nil && bytes.Contains(args, []byte(mark)) {
			found = append(found, f)
		}
	}
	return found
}

func newMark(t *testing.T) string {
	return fmt.Sprintf("mark-%s-%d-%d", strings.ReplaceAll(t.Name(), "/", "-"), os.Getpid(), time.Now().UnixNano())
}

// Nothing of a run survives it, however it ends.
func TestNothingSurvives(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	tests := []struct {
		name, then string
		timeout    time.Duration
		kill       bool
		want       agent.Verdict
	}{
		{name: "exit", then: "read line; exit 5", want: agent.Exited},
		{name: "timeout", then: "sleep 1000", timeout: 500 * time.Millisecond, want: agent.Timeout},
		{name: "kill", then: "sleep 1000", kill: true, want: agent.Cancelled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mark := newMark(t)
			run := sh(test.name, fmt.Sprintf(hideaway, mark)+test.then)
			run.Timeout, run.OpenStdin = test.timeout, true
			look := func(agent.Stream, []byte) {
				if len(marked(t, mark)) == 0 {
					t.Error("the test hides nothing")
				}
				var err error
				switch {
				case test.want == agent.Exited: // now that it has been seen
					err = c.Input(t.Context(), test.name, nil, true)
				case test.kill:
					err = c.Kill(t.Context(), test.name, agent.Cancelled)
				}
				if err != nil {
					t.Error(err)
				}
			}
			var res agent.Result
			var err error
			if test.timeout > 0 {
				res = timesOut(t, c, run, look)
			} else {
				res, err = c.Run(t.Context(), run, look)
			}
			if err != nil || res.Verdict != test.want || string(res.Stdout.Head) != "hidden\n" {
				t.Errorf("got %s, %v", brief(res), err)
			}
			if left := marked(t, mark); len(left) > 0 {
				t.Errorf("%v survived", left)
			}
		})
	}
}

// A child that goes on printing does not keep its run from ending, and what was
// printed before the end is there.
func TestChattyChild(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	mark := newMark(t)
	res, err := c.Run(t.Context(), sh("chatty", "yes "+mark+" & echo end >&2"), nil)
	if err != nil || res.Verdict != agent.Exited || string(res.Stderr.Head) != "end\n" {
		t.Errorf("got %v, %v", res.Verdict, err)
	}
	if left := marked(t, mark); len(left) > 0 {
		t.Errorf("%v survived", left)
	}
}

func TestDetach(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	mark := newMark(t)
	run := sh("daemon", fmt.Sprintf(hideaway, mark))
	run.Detach = true
	res, err := c.Run(t.Context(), run, nil)
	if err != nil || res.Verdict != agent.Exited || string(res.Stdout.Head) != "hidden\n" {
		t.Errorf("got %s, %v", brief(res), err)
	}
	if len(marked(t, mark)) == 0 {
		t.Error("what was detached is gone")
	}
	if _, err := c.Run(t.Context(), sh("another", "true"), nil); err != nil {
		t.Error(err)
	}
	if len(marked(t, mark)) == 0 {
		t.Error("what was detached is gone after another run")
	}
	if err := c.Kill(t.Context(), "daemon", agent.Cancelled); err != nil {
		t.Error(err)
	}
	for len(marked(t, mark)) > 0 { // Kill does not wait; the test's time limit does
		time.Sleep(time.Millisecond)
	}
	if res, err := c.Follow(t.Context(), "daemon", nil); err != nil || res.Verdict != agent.Exited {
		t.Errorf("the verdict changed afterwards: %s, %v", brief(res), err)
	}
}

// A program may close its outputs, or give them away, and go on.
func TestClosedOutputs(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	run := sh("closed", "echo before; exec >&- 2>&- <&-; read x <fifo; exit 6")
	run.Build = []string{"mkfifo", "fifo"}
	begun := make(chan struct{})
	ended := make(chan agent.Result, 1)
	go func() {
		res, err := c.Run(t.Context(), run, func(agent.Stream, []byte) { close(begun) })
		if err != nil {
			t.Error(err)
		}
		ended <- res
	}()
	<-begun
	if _, err := c.Run(t.Context(), sh("opener", "echo >fifo"), nil); err != nil {
		t.Error(err)
	}
	if res := <-ended; res.ExitCode != 6 {
		t.Errorf("got %s", brief(res))
	}
}

package guest_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// TestMain lets the test program be a supervisor or an init, as vm-agent is.
func TestMain(m *testing.M) {
	if len(os.Args) == 1 || strings.HasPrefix(os.Args[1], "-") {
		goleak.VerifyTestMain(m)
		return
	}
	var err error
	switch os.Args[1] {
	case "supervise":
		err = guest.Supervise(os.Args[2:])
	case "init":
		err = beInit()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// newGuest returns a guest in this process.
func newGuest(t testing.TB, config guest.Config) *guest.Guest {
	t.Helper()
	if config.Home == "" {
		config.Home = openDir(t)
	}
	g, err := guest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// openDir is a temporary folder that the ordinary user reaches.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// connect returns a client of g.
func connect(t testing.TB, g *guest.Guest) *agent.Client {
	t.Helper()
	near, far := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = g.ServeConn(t.Context(), far)
	}()
	c, err := agent.NewClient(near)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		<-served
	})
	return c
}

// timesOut runs what prints something and goes on for ever, under a time limit
// that is doubled until it was long enough for the print.
func timesOut(t testing.TB, c *agent.Client, run agent.Run, sink agent.Sink) agent.Result {
	t.Helper()
	for try := 0; ; try++ {
		limited := run
		limited.ID = fmt.Sprintf("%s-%d", run.ID, try)
		limited.Timeout = run.Timeout << try
		res, err := c.Run(t.Context(), limited, sink)
		if err != nil {
			t.Fatal(err)
		}
		if res.Wall < limited.Timeout {
			t.Errorf("it ended after %v, its time limit is %v", res.Wall, limited.Timeout)
		}
		if len(res.Stdout.Head) > 0 || limited.Timeout > time.Minute {
			return res
		}
	}
}

// brief describes a result without flooding the test's log.
func brief(r agent.Result) string {
	clip := func(rec agent.Record) string { return fmt.Sprintf("%.200q+%d", rec.Head, rec.Omitted) }
	return fmt.Sprintf("%s in %s, exit code %d %s, missing %q, after %v: stdout %s, stderr %s",
		r.Verdict, r.Phase, r.ExitCode, r.Signal, r.Missing, r.Wall, clip(r.Stdout), clip(r.Stderr))
}

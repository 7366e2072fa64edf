package guest_test

import (
	"net"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// TestMain makes the test program its own supervisor, as vm-agent is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "supervise" {
		if err := guest.Supervise(); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
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

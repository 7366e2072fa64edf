//go:build linux

package native_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native"
	"github.com/itechsmart/vm/runtime/runtimetest"
)

func TestConformance(t *testing.T) {
	runtimetest.Run(t, newDriver, runtimetest.Options{})
}

// newDriver returns a driver with a state folder of its own, skipping the test
// where the kernel makes no machines.
func newDriver(t *testing.T) runtime.Driver {
	t.Helper()
	return nativeDriver(t, t.TempDir())
}

// nativeDriver is newDriver with a given state folder.
func nativeDriver(t *testing.T, state string) runtime.Driver {
	t.Helper()
	driver := native.New(native.Options{StateDir: state, Path: "/usr/bin:/bin", Agent: agentProgram(t)})
	if _, err := driver.Probe(t.Context()); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no machines here: %v; %s", err, runtime.Hint(err))
		}
		t.Skipf("no machines here: %v; %s", err, runtime.Hint(err))
	}
	return driver
}

// agentVariable hands a built guest program to a test that runs as a user who
// cannot build one.
const agentVariable = "NATIVE_TEST_AGENT"

// agentProgram returns the guest program, built from these sources.
func agentProgram(t *testing.T) string {
	t.Helper()
	if path := os.Getenv(agentVariable); path != "" {
		return path
	}
	path, err := builtAgent()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var builtAgent = onceProgram("vm-agent", "github.com/itechsmart/vm/cmd/vm-agent")

// programs is where TestMain keeps what tests build.
var programs string

// onceProgram returns a function that builds a program at its first call.
func onceProgram(name, source string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		path := filepath.Join(programs, name)
		build := exec.Command("go", "build", "-trimpath", "-tags", "vmagent", "-ldflags", "-s -w", "-o", path, source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		return path, build.Run()
	})
}

func TestMain(m *testing.M) {
	if state := os.Getenv(stateVariable); state != "" {
		makeUntilKilled(state)
	}
	var err error
	if programs, err = os.MkdirTemp("", "native-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(programs)
	os.Exit(code)
}

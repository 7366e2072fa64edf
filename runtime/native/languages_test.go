//go:build linux

package native_test

import (
	"os"
	"strings"
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/lang/langtest"
	"github.com/itechsmart/vm/runtime/native"
)

// TestLanguages runs the host's own toolchains; those that every machine of this
// project's developers has must be there.
func TestLanguages(t *testing.T) {
	driver := native.New(native.Options{StateDir: t.TempDir(), Agent: agentProgram(t)})
	if _, err := driver.Probe(t.Context()); err != nil {
		newDriver(t) // skips or fails as everywhere
	}
	langtest.In(t, driver, runtime.Spec{
		Ref:     runtime.Ref{Instance: "languages", VM: int64(os.Getpid())},
		Name:    "languages",
		Limits:  runtime.Limits{CPU: 2, MemoryMiB: 2048, DiskMiB: 2048, Pids: 512},
		Network: runtime.Network{Mode: runtime.NetworkNone},
	}, "bash", "go", "javascript", "perl")
}

// TestPackages brings packages into a machine by the host's own managers.
func TestPackages(t *testing.T) {
	driver := native.New(native.Options{StateDir: t.TempDir(), Agent: agentProgram(t)})
	if _, err := driver.Probe(t.Context()); err != nil {
		newDriver(t) // skips or fails as everywhere
	}
	langtest.Packages(t, driver, runtime.Spec{
		Ref:    runtime.Ref{Instance: "packages", VM: int64(os.Getpid())},
		Name:   "packages",
		Limits: runtime.Limits{CPU: 2, MemoryMiB: 2048, DiskMiB: 2048, Pids: 512},
	}, "go")
}

// TestPackagesOfTheSystem installs a package of the distribution's in a machine
// of an image that the tests' registry offers.
func TestPackagesOfTheSystem(t *testing.T) {
	registry, base := os.Getenv("ITECHSMART_TEST_REGISTRY"), os.Getenv("ITECHSMART_TEST_BASE_IMAGE")
	_, suite, _ := strings.Cut(base, ":")
	if registry == "" || suite == "" {
		const reason = "no registry: ITECHSMART_TEST_REGISTRY is not set (scripts/testenv)"
		if os.Getenv("CI") == "true" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	driver := native.New(native.Options{StateDir: t.TempDir(), Agent: agentProgram(t)})
	if _, err := driver.Probe(t.Context()); err != nil {
		newDriver(t) // skips or fails as everywhere
	}
	if os.Getuid() != 0 {
		t.Skip("a machine of an ordinary user has one user, and no root beside it")
	}
	langtest.Packages(t, driver, runtime.Spec{
		Ref:    runtime.Ref{Instance: "packages", VM: int64(os.Getpid())},
		Name:   "packages",
		Image:  registry + "/base:" + suite,
		Limits: runtime.Limits{CPU: 2, MemoryMiB: 1024, DiskMiB: 1024, Pids: 256},
	}, lang.System)
}

package docker

import (
	"os"
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/lang/langtest"
)

// TestLanguages runs every language in the image that scripts/testenv builds.
func TestLanguages(t *testing.T) {
	driver := newDriver(t)
	image := languagesImage(t)
	langtest.In(t, driver, runtime.Spec{
		Ref:     runtime.Ref{Instance: "languages", VM: int64(os.Getpid())},
		Name:    "languages",
		Image:   image,
		Limits:  runtime.Limits{CPU: 2, MemoryMiB: 2048, DiskMiB: 2048, Pids: 512},
		Network: runtime.Network{Mode: runtime.NetworkNone},
	}, "bash", "c", "cpp", "go", "java", "javascript", "lua", "perl", "php", "python", "r", "ruby", "rust", "sql", "typescript")
}

// TestPackages brings packages into a container of that image by the managers
// that it has.
func TestPackages(t *testing.T) {
	driver := newDriver(t)
	langtest.Packages(t, driver, runtime.Spec{
		Ref:    runtime.Ref{Instance: "packages", VM: int64(os.Getpid())},
		Name:   "packages",
		Image:  languagesImage(t),
		Limits: runtime.Limits{CPU: 2, MemoryMiB: 2048, DiskMiB: 2048, Pids: 512},
	}, "go", "gem", "cran", "maven", lang.System)
}

// languagesImage is the image that scripts/testenv builds.
func languagesImage(t *testing.T) string {
	t.Helper()
	image := os.Getenv("ITECHSMART_TEST_IMAGE")
	if image == "" && os.Getenv("CI") == "true" {
		t.Fatal("ITECHSMART_TEST_IMAGE is not set; make test sets it")
	}
	if image == "" {
		t.Skip("ITECHSMART_TEST_IMAGE is not set; make test sets it")
	}
	return image
}

package docker

import (
	"os"
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/lang/langtest"
)

// TestLanguages runs every language in the image that scripts/testenv builds.
func TestLanguages(t *testing.T) {
	driver := newDriver(t)
	image := os.Getenv("ITECHSMART_TEST_IMAGE")
	if image == "" && os.Getenv("CI") == "true" {
		t.Fatal("ITECHSMART_TEST_IMAGE is not set; make test sets it")
	}
	if image == "" {
		t.Skip("ITECHSMART_TEST_IMAGE is not set; make test sets it")
	}
	langtest.In(t, driver, runtime.Spec{
		Ref:     runtime.Ref{Instance: "languages", VM: int64(os.Getpid())},
		Name:    "languages",
		Image:   image,
		Limits:  runtime.Limits{CPU: 2, MemoryMiB: 2048, DiskMiB: 2048, Pids: 512},
		Network: runtime.Network{Mode: runtime.NetworkNone},
	}, "bash", "c", "cpp", "go", "java", "javascript", "lua", "perl", "php", "python", "r", "ruby", "rust", "sql", "typescript")
}

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGeneratedFilesAreFresh fails when the method table changed and its
// derived files did not.
func TestGeneratedFilesAreFresh(t *testing.T) {
	for name, generate := range outputs {
		have, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Errorf("%v: run `go generate ./handlers`", err)
			continue
		}
		if diff := cmp.Diff(string(have), generate()); diff != "" {
			t.Errorf("%s is stale: run `go generate ./handlers` (-have +want):\n%s", name, diff)
		}
	}
}

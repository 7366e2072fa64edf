package pool

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/itechsmart/vm/runtime/lang"
)

// A program counts as there where a machine looks for it, not where the caller's
// PATH leads.
func TestOnHostLooksWhereMachinesLook(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "odd-lang"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
	odd := lang.Language{ID: "odd", Run: []string{"other-lang|odd-lang", "{file}"}}
	if !onHost(odd, "", []string{t.TempDir(), folder}) {
		t.Error("not found in the folders of machines")
	}
	if onHost(odd, "", []string{t.TempDir()}) {
		t.Error("found on the caller's PATH alone")
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

// artifactName is what a file may be called by code in a VM: nothing that leads
// elsewhere, hides, or looks like an option.
var artifactName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`) })

// keepArtifacts writes what an execution shows beside text into a folder; without
// one it says that there is something.
func (t *terminal) keepArtifacts(folder string, e handlers.Execution) error {
	for i, a := range e.Artifacts {
		name := a.Name
		if !artifactName().MatchString(name) {
			name = fmt.Sprintf("artifact-%d", i+1)
		}
		if folder == "" {
			t.say("vm: there is %s (%s, %s); --artifacts FOLDER keeps it", name, a.MIME, show.Bytes(int64(len(a.Data))))
			continue
		}
		if err := writeArtifact(folder, name, a.Data); err != nil {
			return err
		}
		t.say("vm: %s holds %s, %s", filepath.Join(folder, name), a.MIME, show.Bytes(int64(len(a.Data))))
	}
	return nil
}

func writeArtifact(folder, name string, data []byte) error {
	err := os.MkdirAll(folder, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name), data, 0o644)
	}
	if err != nil {
		return usage("--artifacts names a folder that can be written to", "an artifact cannot be kept: %v", err)
	}
	return nil
}

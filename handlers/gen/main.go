// Command gen writes what is derived from the method table: docs/protocol.md and
// the extension's TypeScript types. `go generate ./handlers` runs it; a test
// fails when its output is stale.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// outputs are the generated files, below the repository's root.
var outputs = map[string]func() string{
	"docs/protocol.md":          markdown,
	"extension/src/protocol.ts": typescript,
}

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	for name, generate := range outputs {
		if err := os.WriteFile(filepath.Join(root, name), []byte(generate()), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "gen:", err)
			os.Exit(1)
		}
	}
}

package trace

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the readers find into testdata")

var readers = map[string]Reader{
	"python": Python, "javascript": V8, "typescript": TypeScript, "gcc": GCC, "go": Go, "rust": Rust, "java": Java,
	"ruby": Ruby, "php": PHP, "perl": Perl, "bash": Bash, "lua": Lua, "sqlite": SQLite, "r": R,
}

// Each file of testdata is of one reader. Its sections come in pairs: what a
// program printed, and what there is to find in it.
func TestReaders(t *testing.T) {
	for name, reader := range readers {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name+".txtar")
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(archive.Files) == 0 || len(archive.Files)%2 != 0 {
				t.Fatalf("%d sections are no pairs", len(archive.Files))
			}
			for i := 0; i < len(archive.Files); i += 2 {
				got := describe(reader(string(archive.Files[i].Data)))
				if *update {
					archive.Files[i+1].Data = []byte(got)
				} else if diff := cmp.Diff(string(archive.Files[i+1].Data), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", archive.Files[i].Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func describe(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%s: %s\n", [...]string{"error", "warning", "note"}[p.Severity], p.Message)
		for _, at := range p.Places {
			fmt.Fprintf(&b, "  %s:%d", at.File, at.Line)
			if at.Column > 0 {
				fmt.Fprintf(&b, ":%d", at.Column)
			}
			if at.End > 0 {
				fmt.Fprintf(&b, "-%d", at.End)
			}
			if at.Function != "" {
				fmt.Fprintf(&b, " in %s", at.Function)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// No text makes a reader panic, or find what has no place.
func FuzzReaders(f *testing.F) {
	for name := range readers {
		raw, err := os.ReadFile(filepath.Join("testdata", name+".txtar"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, reader := range readers {
			problems := reader(text)
			if len(problems) > Most {
				t.Errorf("%s found %d problems", name, len(problems))
			}
			for _, p := range problems {
				if len(p.Places) == 0 {
					t.Errorf("%s: %q has no place", name, p.Message)
				}
			}
		}
	})
}

package main

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/itechsmart/vm/"

// mayImport is the house, storey by storey: the packages of this module that
// each folder's packages may import. A folder is held by its longest entry, and
// may always import what is below itself.
var mayImport = map[string][]string{
	"cmd/vm":                {"server", "handlers", "runtime", "db"}, // puts everything together
	"cmd/vm-agent":          {"runtime/agent", "runtime/native/sandbox"},
	"bench":                 {"server/client", "handlers"},
	"scripts":               {"server/client", "handlers"},
	"server":                {"handlers"},
	"server/client":         {},
	"handlers":              {"runtime/pool", "runtime", "runtime/agent", "runtime/lang", "db"},
	"runtime/pool":          {"runtime", "runtime/agent", "runtime/agent/archive", "runtime/egress", "runtime/lang", "db"},
	"runtime/all":           {"runtime", "runtime/docker", "runtime/native"},
	"runtime/docker":        {"runtime", "runtime/agent"},
	"runtime/native":        {"runtime", "runtime/agent"},
	"runtime/fake":          {"runtime", "runtime/agent", "runtime/lang", "runtime/runtimetest/report"},
	"runtime/egress":        {},
	"runtime/lang":          {"runtime", "runtime/agent"},
	"runtime/lang/langtest": {"runtime", "runtime/agent", "runtime/egress", "runtime/lang"},
	"runtime/agent":         {},
	"runtime/runtimetest":   {"runtime", "runtime/agent", "runtime/egress"},
	"runtime":               {},
	"db":                    {"runtime"},
}

// onlyIn are imports that one place has for good reason.
var onlyIn = map[string]string{
	"github.com/docker/docker":         "runtime/docker", // so that a move to its successor touches one package
	"github.com/uptrace/bun":           "db",
	"github.com/sourcegraph/jsonrpc2":  "server",
	"github.com/elastic/go-seccomp":    "runtime/native",
	"github.com/opencontainers/cgroup": "runtime/native",
	"github.com/spf13/cobra":           "cmd/vm",
}

type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	Imports         []string
}

func TestImportsGoDownTheHouse(t *testing.T) {
	for _, p := range packages(t) {
		folder := strings.TrimPrefix(p.ImportPath, module)
		for _, path := range p.Imports {
			checkImport(t, folder, path)
		}
	}
}

func checkImport(t *testing.T, folder, path string) {
	for prefix, place := range onlyIn {
		if strings.HasPrefix(path, prefix) && !within(folder, place) {
			t.Errorf("%s imports %s, which only %s may", folder, path, place)
		}
	}
	target, ours := strings.CutPrefix(path, module)
	if !ours {
		return
	}
	storey := holder(folder)
	if storey == "" {
		t.Errorf("%s has no place in the house: add it to mayImport", folder)
		return
	}
	allowed := within(target, storey) || slices.ContainsFunc(mayImport[storey], func(a string) bool {
		return target == a || within(target, a) && storey != "handlers" && storey != "runtime/pool"
	})
	if !allowed {
		t.Errorf("%s imports %s; it may import %v and what is below itself", folder, target, mayImport[storey])
	}
}

// holder is the longest entry of mayImport that a folder is in.
func holder(folder string) string {
	longest := ""
	for entry := range mayImport {
		if within(folder, entry) && len(entry) > len(longest) {
			longest = entry
		}
	}
	return longest
}

func within(folder, of string) bool { return folder == of || strings.HasPrefix(folder, of+"/") }

func TestEachPackageHasOnePackageComment(t *testing.T) {
	for _, p := range packages(t) {
		comments := 0
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if file.Doc != nil && strings.TrimSpace(file.Doc.Text()) != "" {
				comments++
			}
		}
		if comments != 1 && len(p.GoFiles) > 0 {
			t.Errorf("%s has %d package comments, want one", p.ImportPath, comments)
		}
	}
}

// packages lists the module's packages as they are built for this machine.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

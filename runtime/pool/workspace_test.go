package pool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/pool"
)

// project makes a folder with files and returns it.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	for name, content := range files {
		at := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// expectNoCopies fails when copies of workspaces are left in a VM.
func (r *rig) expectNoCopies(t *testing.T, vm db.VirtualMachine) {
	t.Helper()
	list, err := r.ListFiles(t.Context(), vm, "/tmp")
	if err != nil && !errors.Is(err, pool.ErrNotFound) {
		t.Fatal(err)
	}
	for _, f := range list.Files {
		if strings.HasPrefix(f.Name, "run-") {
			t.Errorf("%s is left", f.Name)
		}
	}
}

// TestWorkspaceIsSeenByTheCode runs a selection of a document beside that one's
// neighbours, with the folder as working directory.
func TestWorkspaceIsSeenByTheCode(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	dir := project(t, map[string]string{"data": "data\n", "pkg/mod.probe": "print all", "pkg/helper": "help\n"})
	document := "file://" + filepath.ToSlash(filepath.Join(dir, "pkg/mod.probe"))
	for _, test := range []struct{ name, uri, cwd, code, output, failure string }{
		{name: "a document in it", uri: document, code: "show data\nshow pkg/helper\nshow pkg/mod.probe\nshow none", output: "data\nhelp\nshow data\nshow pkg/helper\nshow pkg/mod.probe\nshow none",
			failure: `^/tmp/run-w[a-z2-7]{8}/project/pkg/mod.probe:4: `},
		{name: "no document", code: "show data\nshow none", output: "data\n", failure: `^/tmp/run-w[a-z2-7]{8}/project/main.probe:2: `},
		{name: "a document elsewhere", uri: "file:///elsewhere/other.probe", code: "show none", failure: `/project/other.probe:1: `},
		{name: "a folder in it", cwd: "pkg", code: "show helper\nshow none", output: "help\n", failure: `:2: `},
	} {
		e, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte(test.code), URI: test.uri, Cwd: test.cwd, Workspace: dir}, pool.Observer{})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if string(e.Output) != test.output || !regexp.MustCompile(test.failure).Match(e.Error) {
			t.Errorf("%s: %q, %q", test.name, e.Output, e.Error)
		}
	}
	r.expectNoCopies(t, vm)
	if data, err := os.ReadFile(filepath.Join(dir, "pkg/mod.probe")); err != nil || string(data) != "print all" {
		t.Errorf("the document has become %q, %v", data, err)
	}
}

// TestWorkspaceKeepsItsOwnFiles: code without a document must not hide a file that
// has the name which such code gets.
func TestWorkspaceKeepsItsOwnFiles(t *testing.T) {
	r := newRig(t)
	vm := r.create(t, "one")
	dir := project(t, map[string]string{"main.probe": "its own\n"})
	e, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte("show main.probe"), Workspace: dir}, pool.Observer{})
	if err != nil || string(e.Output) != "its own\n" {
		t.Errorf("%q, %v", e.Output, err)
	}
}

func TestWorkspaceThatCannotBeSeen(t *testing.T) {
	r := newRig(t)
	disk := 16
	vm, err := r.Create(t.Context(), pool.CreateRequest{Name: "small", Language: "probe", DiskMiB: &disk}, nil)
	if err != nil {
		t.Fatal(err)
	}
	big := project(t, map[string]string{"big": strings.Repeat("x", 20<<20)})
	for dir, kind := range map[string]error{
		"relative": pool.ErrInvalid, filepath.Join(big, "absent"): pool.ErrInvalid, filepath.Join(big, "big"): pool.ErrInvalid, big: pool.ErrState,
	} {
		e, err := r.Execute(t.Context(), vm, pool.RunRequest{Code: []byte("print x"), Workspace: dir}, pool.Observer{})
		if !errors.Is(err, kind) || e.ID != 0 {
			t.Errorf("%s: %v, execution %d; want %v and none", dir, err, e.ID, kind)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Execute(ctx, vm, pool.RunRequest{Code: []byte("print x"), Workspace: project(t, map[string]string{"a": "a"})}, pool.Observer{}); err == nil {
		t.Error("it succeeds when nobody waits for it any more")
	}
	r.expectNoCopies(t, vm)
}

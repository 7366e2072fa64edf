package runtimetest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/archive"
)

// testWorkspace has a program work in a copy of a folder of this machine: it reads
// its neighbours by relative paths, what leads out of the folder is not there, what
// it writes does not reach the folder, and nothing is left of the copy.
func testWorkspace(t *testing.T, s *suite) {
	m, ctx := s.shared(t), bounded(t)
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	if err := errors.Join(
		os.MkdirAll(in("pkg/deep"), 0o755), os.WriteFile(in("data"), []byte("data"), 0o400),
		os.WriteFile(in("pkg/deep/neighbour"), []byte("neighbour"), 0o644), os.Symlink("/etc/hostname", in("pkg/out")),
	); err != nil {
		t.Fatal(err)
	}
	const scratch = "/tmp/workspace-case"
	view, err := archive.OpenView(folder, archive.Bounds{Entries: 10, Bytes: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	try := func(want string, exitCode int, args ...string) {
		t.Helper()
		reader, writer := io.Pipe()
		go func() { writer.CloseWithError(view.Pack(writer)) }()
		if _, err := m.client.UnpackFiles(ctx, m.copying(), ".", scratch+"/copy", reader); err != nil {
			t.Fatal(err)
		}
		run := m.program(args...)
		run.Dir, run.Scratch = scratch+"/copy", scratch
		run.Files = []agent.File{{Path: "pkg/code", Data: []byte("code")}}
		result := m.run(t, run)
		if expect(t, result, agent.Exited, exitCode); string(result.Stdout.Head) != want {
			t.Errorf("%q printed %q, want %q", args, result.Stdout.Head, want)
		}
		_, err := m.client.ListFiles(ctx, m.errand(), scratch, 9)
		failsWith(t, "list the copy afterwards", err, agent.FileNotFound)
	}
	try("data", 0, "read", "data")
	try("neighbour", 0, "read", "pkg/../pkg/deep/neighbour")
	try("code", 0, "read", "pkg/code")
	try("", 1, "read", "pkg/out")
	try("writing\n", 0, "write", "data", "1")
	if data, err := os.ReadFile(in("data")); err != nil || string(data) != "data" {
		t.Errorf("the folder itself has %q, %v", data, err)
	}
}

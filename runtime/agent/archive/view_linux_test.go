package archive_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/archive"
)

// project makes a folder with all that a view has to leave out, and returns it.
func project(t *testing.T) string {
	t.Helper()
	outside, dir := t.TempDir(), t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	sparse, err := os.Create(filepath.Join(outside, "secret"))
	if err == nil {
		err = errors.Join(sparse.Truncate(1<<40), sparse.Close())
	}
	if err := errors.Join(
		err,
		os.MkdirAll(in("pkg/deep"), 0o755), os.MkdirAll(in(".git/objects"), 0o755), os.MkdirAll(in("pkg/.hg"), 0o755),
		os.WriteFile(in("data"), []byte("data"), 0o444), os.WriteFile(in("pkg/run"), []byte("run"), 0o755),
		os.WriteFile(in(".git/objects/big"), make([]byte, 4<<10), 0o644), os.WriteFile(in("pkg/.hg/x"), nil, 0o644),
		os.Symlink("../data", in("pkg/link")), os.Symlink("pkg", in("folder link")),
		os.Symlink(filepath.Join(outside, "secret"), in("absolute")), os.Symlink("../../../../etc/passwd", in("pkg/up")),
		os.Symlink(outside, in("outside")), unix.Mkfifo(in("fifo"), 0o644), unix.Mkfifo(in("pkg/deep/fifo"), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

var bounds = archive.Bounds{Entries: 100, Bytes: 1 << 20}

func TestViewShowsWhatIsInTheFolder(t *testing.T) {
	v, err := archive.OpenView(project(t), bounds)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var stream bytes.Buffer
	if err := v.Pack(&stream); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	for range 2 { // also over what is there
		if err := archive.Unpack(openRoot(t, to), "copy", bytes.NewReader(stream.Bytes()), 1<<20, func(name string) { t.Errorf("%s was sent for nothing", name) }); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"-rw-r--r-- data data", "Lrwxrwxrwx folder link -> pkg", "drwxr-xr-x pkg", "drwxr-xr-x pkg/deep",
		"Lrwxrwxrwx pkg/link -> ../data", "-rwxr-xr-x pkg/run run",
	}
	if diff := cmp.Diff(want, tree(t, filepath.Join(to, "copy"))); diff != "" {
		t.Errorf("the copy (-want +got):\n%s", diff)
	}
	if v.Skipped != 5 || !v.Has("data") || v.Has("run") || v.Has("fifo") {
		t.Errorf("%d left out, want 5", v.Skipped)
	}
}

func TestViewIsBounded(t *testing.T) {
	dir := project(t)
	for _, most := range []archive.Bounds{{Entries: 3, Bytes: 1 << 20}, {Entries: 100, Bytes: 5}} {
		_, err := archive.OpenView(dir, most)
		var tooMuch *archive.TooMuchError
		if !errors.As(err, &tooMuch) || tooMuch.Largest != "pkg" && tooMuch.Largest != "data" {
			t.Errorf("with %+v: %v", most, err)
		}
	}
	if _, err := archive.OpenView(filepath.Join(dir, "absent"), bounds); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// TestViewOfAFolderThatChanges packs after files have become something else.
func TestViewOfAFolderThatChanges(t *testing.T) {
	dir := project(t)
	v, err := archive.OpenView(dir, bounds)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	run := filepath.Join(dir, "pkg/run")
	if err := errors.Join(os.Remove(run), unix.Mkfifo(run, 0o644), os.Remove(filepath.Join(dir, "data")), os.Symlink("/etc/passwd", filepath.Join(dir, "data"))); err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := v.Pack(&stream); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := archive.Unpack(openRoot(t, to), ".", &stream, 1<<20, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data", "pkg/run"} {
		if _, err := os.Lstat(filepath.Join(to, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was packed: %v", name, err)
		}
	}
	if err := errors.Join(os.Remove(run), os.WriteFile(run, nil, 0o644), os.Truncate(run, 2<<20)); err != nil {
		t.Fatal(err)
	}
	var tooMuch *archive.TooMuchError
	if err := v.Pack(io.Discard); !errors.As(err, &tooMuch) || tooMuch.Largest != "pkg/run" {
		t.Errorf("a file that has grown: %v", err)
	}
}

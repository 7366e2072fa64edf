package runtimetest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/archive"
)

// errand with the time that a large copy takes.
func (m *machine) copying() agent.Run {
	run := m.errand()
	run.Timeout = 0
	return run
}

// testCopyTree copies a folder into the machine and out again.
func testCopyTree(t *testing.T, s *suite) {
	m, ctx := s.shared(t), bounded(t)
	from := t.TempDir()
	for name, mode := range map[string]fs.FileMode{"plain": 0o644, "deep/er/script": 0o755, "deep/secret": 0o600} {
		at := filepath.Join(from, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte("in "+name+"\x00\xff"), mode)); err != nil {
			t.Fatal(err)
		}
	}
	var stream bytes.Buffer
	if err := archive.Pack(&stream, from); err != nil {
		t.Fatal(err)
	}
	// Twice: the first makes the folder, the second goes into it.
	for range 2 {
		if skipped, err := m.client.UnpackFiles(ctx, m.copying(), "again", "copy-tree", bytes.NewReader(stream.Bytes())); err != nil || skipped.Count != 0 {
			t.Fatalf("copy in: %v, %+v", err, skipped)
		}
	}
	for _, source := range []string{"copy-tree/again", "copy-tree"} {
		var back bytes.Buffer
		if err := m.client.PackFiles(ctx, m.copying(), source, &back); err != nil {
			t.Fatalf("copy out: %v", err)
		}
		to := t.TempDir()
		root, err := os.OpenRoot(to)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := archive.Unpack(root, "back", &back, 1<<20, nil); err != nil {
			t.Fatalf("unpack %s: %v", source, err)
		}
		for name, mode := range map[string]fs.FileMode{"plain": 0o644, "deep/er/script": 0o755, "deep/secret": 0o600} {
			at := filepath.Join(to, "back", name)
			data, err := os.ReadFile(at)
			info, statErr := os.Stat(at)
			if err := errors.Join(err, statErr); err != nil {
				t.Fatal(err)
			}
			if string(data) != "in "+name+"\x00\xff" || info.Mode() != mode {
				t.Errorf("%s came back as %q, %s", name, data, info.Mode())
			}
		}
	}
	failsWith(t, "copy out what is not there", m.client.PackFiles(ctx, m.copying(), "none", io.Discard), agent.FileNotFound)
	_, err := m.client.UnpackFiles(ctx, m.copying(), "x", "copy-broken", io.MultiReader(bytes.NewReader(stream.Bytes()[:700]), failing{}))
	if !errors.Is(err, errSource) {
		t.Errorf("copy in from a reader that fails: %v", err)
	}
}

var errSource = errors.New("the source failed")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errSource }

// largeCopy is how much testCopyLarge copies.
const largeCopy = 96 << 20

// testCopyLarge copies a file beyond every buffer in and out.
func testCopyLarge(t *testing.T, s *suite) {
	m, ctx := s.shared(t), bounded(t)
	in, out := sha256.New(), sha256.New()
	reader, writer := io.Pipe()
	go func() {
		w := tar.NewWriter(writer)
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: archive.Top, Size: largeCopy, Mode: 0o644})
		block := make([]byte, 1<<20)
		for i := 0; i < largeCopy && err == nil; i += len(block) {
			copy(block, fmt.Sprint("block ", i))
			in.Write(block)
			_, err = w.Write(block)
		}
		writer.CloseWithError(errors.Join(err, w.Close()))
	}()
	if _, err := m.client.UnpackFiles(ctx, m.copying(), "x", "/tmp/copy-large", reader); err != nil {
		t.Fatalf("in: %v", err)
	}
	reader, writer = io.Pipe()
	done := make(chan error, 1)
	go func() {
		r := tar.NewReader(reader)
		_, err := r.Next()
		if err == nil {
			_, err = io.Copy(out, r)
		}
		_, drained := io.Copy(io.Discard, reader)
		done <- errors.Join(err, drained)
	}()
	err := m.client.PackFiles(ctx, m.copying(), "/tmp/copy-large", writer)
	writer.CloseWithError(err)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatalf("out: %v", err)
	}
	if !bytes.Equal(in.Sum(nil), out.Sum(nil)) {
		t.Error("what came back differs")
	}
	if err := m.client.RemoveFile(ctx, m.errand(), "/tmp/copy-large", false); err != nil {
		t.Error(err)
	}
}

// testCopyCancelled gives copies up half-way: nothing of them goes on.
func testCopyCancelled(t *testing.T, s *suite) {
	m := s.shared(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	run := m.copying()
	if _, err := m.client.UnpackFiles(ctx, run, "x", "copy-cancelled", silent{ctx}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled copy: %v", err)
	}
	runs, err := m.client.Runs(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		if r.ID == run.ID && r.Verdict == agent.Running {
			t.Errorf("it goes on: %+v", r)
		}
	}
	m.healthy(t)
}

// silent has nothing to read until ctx ends.
type silent struct{ ctx context.Context }

func (s silent) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

package main

import (
	"bufio"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Copies must not be held in memory: less than the file, and more than the program
// itself takes, with what its parent had when it started it; see getrusage(2).
const (
	streamedSize = 160 << 20
	streamedPeak = 112 << 20
)

// TestCopiesAreStreamed copies a file into a VM and out again.
func TestCopiesAreStreamed(t *testing.T) {
	env := sandbox(t)
	dir := t.TempDir()
	source, back := filepath.Join(dir, "source"), filepath.Join(dir, "back")
	want := writeMarked(t, source, streamedSize)
	if out, err := program(t.Context(), env, "create", "box", "bash", "--disk", "1G").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, args := range [][]string{{"cp", source, "box:copy"}, {"cp", "box:copy", back}} {
		cmd := program(t.Context(), env, args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		usage, is := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if peak := usage.Maxrss << 10; !is || peak > streamedPeak {
			t.Errorf("vm %s took %d MiB of memory for %d MiB", args[0], peak>>20, streamedSize>>20)
		}
	}
	if got := sumOf(t, back); got != want {
		t.Error("what came back differs")
	}
}

// writeMarked writes a file of which no two blocks are alike, and returns its sum.
func writeMarked(t *testing.T, path string, size int) [sha256.Size]byte {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, hash), 1<<20)
	block := make([]byte, 64<<10)
	for i := 0; i < size; i += len(block) {
		block[0], block[1], block[2], block[3] = byte(i>>16), byte(i>>24), 1, byte(i>>8)
		if _, err := out.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

func sumOf(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

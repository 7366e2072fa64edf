//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// trap makes files that hang a careless reader, flood it, or lead it astray.
func trap(args []string) error {
	dir := args[0]
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		return err
	}
	return errors.Join(
		sparse.Truncate(200<<20),
		sparse.Close(),
		unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644),
		os.Symlink("fifo", filepath.Join(dir, "to-fifo")),
		os.Symlink("/etc", filepath.Join(dir, "out")),
		os.Symlink("loop", filepath.Join(dir, "loop")),
		os.Symlink("../../../../../../../../dev/zero", filepath.Join(dir, "zero")),
		os.WriteFile(filepath.Join(dir, "closed"), []byte("x"), 0),
	)
}

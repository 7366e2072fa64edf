package errand

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// write writes a file in place, as an editor does: its owner, its links and,
// with mode 0, its mode stay.
func write(path string, mode fs.FileMode, in io.Reader) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	created := mode
	if mode == 0 {
		created = 0o644
	}
	// Emptied only once it is known to be a regular file.
	f, _, err := open(path, os.O_WRONLY|os.O_CREATE, created)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := io.Copy(f, in); err != nil {
		return err
	}
	if mode == 0 {
		return nil
	}
	return f.Chmod(mode)
}

func remove(path string, recursive bool) error {
	err := os.Remove(path)
	if !recursive || !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	return os.RemoveAll(path)
}

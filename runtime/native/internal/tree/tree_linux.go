// Package tree measures and removes folders that a machine filled: with any
// names, links and permissions it liked.
package tree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Remove removes path and all below it, folders that their owner may not enter
// included. Links are removed, never followed. It is no error when path is not
// there.
func Remove(path string) error {
	err := os.RemoveAll(path)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err := open(path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// open lets the owner into every folder below path.
func open(path string) error {
	// The folder is opened before its entries are read, so WalkDir can enter it.
	return filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Chmod(name, 0o700)
		}
		return nil
	})
}

// Within reports whether path and all below it are no more than so many files and
// folders, which take up no more than so many bytes on the disk. It does not look
// at more than that.
func Within(path string, files int, bytes int64) (bool, error) {
	errMore := errors.New("there is more")
	err := filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Lstat(name, &stat); err != nil {
			return err
		}
		files--
		bytes -= stat.Blocks * block
		if files < 0 || bytes < 0 {
			return errMore
		}
		return nil
	})
	if errors.Is(err, errMore) {
		return false, nil
	}
	return err == nil, err
}

// block is the unit of st_blocks, whatever the file system; stat(2).
const block = 512

// Size returns the bytes that path and all below it take up on the disk, each
// file counted once however many names it has. What cannot be read is left out.
func Size(path string) (int64, error) {
	type inode struct{ dev, ino uint64 }
	seen := map[inode]bool{}
	var size int64
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) && name != path {
			return nil
		}
		if err != nil {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Lstat(name, &stat); err != nil {
			return nil // gone since it was listed
		}
		id := inode{stat.Dev, stat.Ino}
		if stat.Nlink > 1 && !entry.IsDir() && seen[id] {
			return nil
		}
		seen[id] = true
		size += stat.Blocks * block
		return nil
	})
	return size, err
}

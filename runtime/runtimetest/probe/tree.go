//go:build linux

package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// steps makes changes one after the other, until one fails.
type steps struct {
	folder string
	err    error
}

func (s *steps) in(name string) string { return filepath.Join(s.folder, name) }

func (s *steps) do(change func() error) {
	if s.err == nil {
		s.err = change()
	}
}

func (s *steps) file(name, content string, mode os.FileMode) {
	s.do(func() error { return os.WriteFile(s.in(name), []byte(content), 0o600) })
	s.do(func() error { return os.Chmod(s.in(name), mode) })
}

func (s *steps) dir(name string, mode os.FileMode) {
	s.do(func() error { return os.MkdirAll(s.in(name), 0o700) })
	s.do(func() error { return os.Chmod(s.in(name), mode) })
}

func (s *steps) symlink(target, name string) {
	s.do(func() error { return os.Symlink(target, s.in(name)) })
}

// tree makes one of every kind of thing that a snapshot has to keep.
func tree(args []string) error {
	s := &steps{folder: args[0]}
	s.dir("", 0o755)
	s.file("plain", "plain", 0o640)
	s.file("set-id", "program", 0o755|os.ModeSetgid)
	s.file("unreadable", "secret", 0)
	s.file("empty", "", 0o444)
	s.file("gone later", "gone", 0o600)
	s.file("replaced by a folder", "file", 0o600)
	s.dir("folder/in/folder", 0o750)
	s.file("folder/in/folder/file", "deep", 0o604)
	s.dir("sticky", 0o777|os.ModeSticky)
	s.dir("emptied", 0o755)
	s.file("emptied/one", "1", 0o600)
	s.dir("replaced by a file", 0o700)
	s.dir("made anew", 0o700)
	s.file("made anew/old", "old", 0o600)
	s.symlink("/etc/passwd", "link out")
	s.symlink("plain", "link")
	s.symlink("nowhere/at all", "dangling")
	s.do(func() error { return os.Link(s.in("plain"), s.in("second name")) })
	s.do(func() error { return syscall.Mkfifo(s.in("fifo"), 0o620) })
	s.do(func() error { return sparse(s.in("sparse")) })
	s.file("name with \xff and \n", "bytes", 0o600)
	old := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	for _, name := range []string{"plain", "folder/in", "emptied", "replaced by a file"} {
		s.do(func() error { return os.Chtimes(s.in(name), old, old) })
	}
	return s.err
}

// sparse makes a file of 64 MiB that is one byte and a hole.
func sparse(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{1}, 4096); err != nil {
		return err
	}
	return f.Truncate(64 << 20)
}

// spoil undoes all that tree did, in as many ways.
func spoil(args []string) error {
	s := &steps{folder: args[0]}
	s.do(func() error { return os.WriteFile(s.in("plain"), []byte("written over"), 0) })
	s.do(func() error { return os.Chmod(s.in("set-id"), 0o600) })
	s.do(func() error { return os.Remove(s.in("gone later")) })
	s.do(func() error { return os.Remove(s.in("replaced by a folder")) })
	s.dir("replaced by a folder", 0o755)
	s.file("replaced by a folder/file", "in it", 0o644)
	s.do(func() error { return os.RemoveAll(s.in("emptied")) })
	s.dir("emptied", 0o700)
	s.do(func() error { return os.Remove(s.in("replaced by a file")) })
	s.file("replaced by a file", "file", 0o644)
	s.do(func() error { return os.RemoveAll(s.in("made anew")) })
	s.dir("made anew", 0o755)
	s.file("made anew/new", "new", 0o600)
	s.do(func() error { return os.Remove(s.in("link")) })
	s.symlink("elsewhere", "link")
	s.do(func() error { return os.Rename(s.in("folder/in/folder/file"), s.in("moved")) })
	s.do(func() error { return os.Chtimes(s.in("sticky"), time.Unix(1, 0), time.Unix(1, 0)) })
	s.file("new", "new", 0o644)
	return s.err
}

// listing prints a line of all that a snapshot has to keep of each file. Files
// are told by their first name, so that links show.
func listing(args []string) error {
	type inode struct{ dev, ino uint64 }
	names := map[inode]string{}
	return filepath.WalkDir(args[0], func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		id := inode{st.Dev, st.Ino}
		if names[id] == "" {
			names[id] = path
		}
		size := st.Size
		if entry.IsDir() {
			size = 0 // of the file system's own book-keeping
		}
		fmt.Printf("%q %o %d:%d size %d modified %d.%09d is %q, %s\n", path, st.Mode, st.Uid, st.Gid, size,
			st.Mtim.Sec, st.Mtim.Nsec, names[id], content(path, entry))
		return nil
	})
}

// content tells a file's content apart from others.
func content(path string, entry fs.DirEntry) string {
	switch {
	case entry.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return fmt.Sprintf("to %q %v", target, err)
	case !entry.Type().IsRegular():
		return "no content"
	}
	if info, err := entry.Info(); err == nil && info.Size() > 1<<20 {
		return "much"
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return "unreadable"
	}
	return fmt.Sprintf("%x %v", sha256.Sum256(data), err)
}

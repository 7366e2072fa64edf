// Package archive makes a stream of files and folders, and files and folders of
// such a stream, which may come from a hostile VM: nothing that it says leads
// out of the folder that it is unpacked in.
//
// The stream is a tar archive of one tree, whose names are Top and below.
package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Top is the name of the tree's root in the stream.
const Top = "top"

// Pack writes the tree at from to w. A link at from itself is followed, others
// are packed as links. Pipes, sockets and devices are mentioned as pipes, for
// Unpack to leave out.
func Pack(w io.Writer, from string) error {
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	err = filepath.WalkDir(from, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, at)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return pack(out, at, path.Join(Top, filepath.ToSlash(below)), info)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

// pack writes one entry.
func pack(out *tar.Writer, at, name string, info fs.FileInfo) error {
	header := tar.Header{Name: name, Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX}
	switch {
	case info.IsDir():
		header.Typeflag = tar.TypeDir
		header.Name += "/"
	case info.Mode().IsRegular():
		return packFile(out, at, header)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(at)
		if err != nil {
			return err
		}
		header.Typeflag, header.Linkname = tar.TypeSymlink, filepath.ToSlash(target)
	default:
		header.Typeflag = tar.TypeFifo
	}
	return out.WriteHeader(&header)
}

func packFile(out *tar.Writer, at string, header tar.Header) error {
	f, err := os.OpenFile(at, os.O_RDONLY|noWait, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "read", Path: at, Err: errChanged}
	}
	return packContent(out, f, info.Size(), header)
}

// packContent writes a regular file that is open.
func packContent(out *tar.Writer, f *os.File, size int64, header tar.Header) error {
	header.Typeflag, header.Size = tar.TypeReg, size
	if err := out.WriteHeader(&header); err != nil {
		return err
	}
	_, err := io.CopyN(out, f, size)
	if errors.Is(err, io.EOF) {
		return &fs.PathError{Op: "read", Path: f.Name(), Err: errChanged}
	}
	return err
}

var errChanged = errors.New("it changed while it was copied")

// Place opens the folder for Unpack as cp(1) would choose it: a tree of that name
// goes into the folder at path, when there is one, and else takes its place; the
// folders above are made. The name "." merges it into the folder at path.
func Place(at, name string) (folder *os.Root, under string, err error) {
	info, err := os.Stat(at)
	isFolder := err == nil && info.IsDir() || strings.HasSuffix(filepath.ToSlash(at), "/")
	switch {
	case name == "." || isFolder:
	default:
		at, name = filepath.Dir(at), filepath.Base(at)
	}
	if err := os.MkdirAll(at, 0o755); err != nil {
		return nil, "", err
	}
	folder, err = os.OpenRoot(at)
	return folder, name, err
}

// Errors of Unpack.
var (
	// ErrHostile: the stream is none that Pack would write.
	ErrHostile = errors.New("not an archive of files")
	// ErrLimit: the stream holds more than the limit given.
	ErrLimit = errors.New("more than the limit")
)

// Unpack puts the tree in a folder under a name; "." = in the place of the
// folder itself. Files that are there are overwritten. Of a mode, the permission
// bits count. Left out are pipes, devices, and links that lead out of the tree:
// skipped, which may be nil, hears of them. The files together may have limit
// bytes; a negative limit is none.
func Unpack(folder *os.Root, name string, r io.Reader, limit int64, skipped func(name string)) error {
	u := unpacking{folder: folder, name: name, limit: limit, skipped: skipped}
	in := tar.NewReader(r)
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return u.finish()
		}
		if err == nil {
			err = u.take(header, in)
		} else {
			err = fmt.Errorf("%w: %w", ErrHostile, err)
		}
		if err != nil {
			return err
		}
	}
}

// perEntry is what an entry counts beyond its bytes, so that a flood of empty
// ones ends too.
const perEntry = 512

// unpacking is one Unpack under way. Links and modes of folders come last: so no
// name of the stream goes through a link of the stream, nor fails at a folder
// that may not be written.
type unpacking struct {
	folder  *os.Root
	name    string
	limit   int64
	skipped func(string)

	total   int64
	links   []link
	folders []folderMode
}

type link struct{ at, below, target string }

type folderMode struct {
	at   string
	mode fs.FileMode
}

func (u *unpacking) take(h *tar.Header, content io.Reader) error {
	below, ok := beneath(h.Name)
	if !ok {
		return fmt.Errorf("%w: it has an entry %q", ErrHostile, h.Name)
	}
	u.total += h.Size + perEntry
	if u.limit >= 0 && u.total > u.limit || h.Size < 0 {
		return ErrLimit
	}
	at := filepath.Join(filepath.FromSlash(u.name), filepath.FromSlash(below))
	mode := fs.FileMode(h.Mode).Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		u.folders = append(u.folders, folderMode{at, mode})
		return u.folder.MkdirAll(at, 0o755)
	case tar.TypeReg:
		return u.write(at, mode, content)
	case tar.TypeSymlink:
		if inside(below, h.Linkname) {
			u.links = append(u.links, link{at, below, h.Linkname})
			return u.folder.MkdirAll(filepath.Dir(at), 0o755)
		}
	}
	u.skip(below)
	return nil
}

// beneath is an entry's name below Top, "." for Top itself.
func beneath(name string) (string, bool) {
	name = strings.TrimSuffix(name, "/")
	if name == Top {
		return ".", true
	}
	below, ok := strings.CutPrefix(name, Top+"/")
	return below, ok && path.Clean(below) == below && filepath.IsLocal(filepath.FromSlash(below))
}

// inside reports whether a link of the tree stays in it. Steps upward may come
// first alone: behind the name of another link they would start from where that
// one leads.
func inside(below, target string) bool {
	return target != "" && !path.IsAbs(target) && path.Clean(target) == target &&
		filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(below), target)))
}

// write writes a file, in place of a link of that name, never through it.
func (u *unpacking) write(at string, mode fs.FileMode, content io.Reader) (err error) {
	if err := u.folder.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if err := u.clear(at); err != nil {
		return err
	}
	f, err := u.folder.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|noWait, mode|0o200)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, content); err != nil {
		return err
	}
	return f.Chmod(mode)
}

// clear removes what is neither a file nor a folder.
func (u *unpacking) clear(at string) error {
	info, err := u.folder.Lstat(at)
	if err != nil || info.Mode().IsRegular() || info.IsDir() {
		return nil // what is wrong shows when it is opened
	}
	return u.folder.Remove(at)
}

func (u *unpacking) skip(below string) {
	if u.skipped != nil {
		u.skipped(below)
	}
}

func (u *unpacking) finish() error {
	for _, l := range u.links {
		if info, err := u.folder.Lstat(l.at); err == nil && !info.IsDir() {
			if err := u.folder.Remove(l.at); err != nil {
				return err
			}
		}
		if err := u.folder.Symlink(filepath.FromSlash(l.target), l.at); err != nil {
			u.skip(l.below) // a folder is in its place, or the system has no links
		}
	}
	for i := len(u.folders) - 1; i >= 0; i-- {
		if f := u.folders[i]; f.at != "." {
			if err := u.folder.Chmod(f.at, f.mode); err != nil {
				return err
			}
		}
	}
	return nil
}

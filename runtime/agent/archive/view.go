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
	"slices"
	"strings"
)

// View is a folder of this machine as it is shown to a program elsewhere: its
// files and folders, and the links that stay in it. Left out are links that lead
// out of it, pipes, sockets and devices, what the caller may not read, and the
// folders of version control. No path of it is followed out of the folder,
// whatever changes meanwhile.
type View struct {
	root    *os.Root
	entries []viewed
	bytes   int64
	most    Bounds
	Skipped int // how many were left out, but for those of version control
}

// Bounds of a View.
type Bounds struct {
	Entries int   // files, folders and links
	Bytes   int64 // of all files together; holes count
}

type viewed struct {
	at   string // below the root, with slashes
	info fs.FileInfo
}

// TooMuchError tells that a folder holds more than its Bounds.
type TooMuchError struct {
	Bounds
	// Largest is the entry right in the folder that had most of it, of the bytes or
	// of the entries, whichever were too many; it was not looked at further.
	Largest string
}

func (e *TooMuchError) Error() string {
	return fmt.Sprintf("it holds more than %d MiB or %d files, most of them in %s", e.Bytes>>20, e.Entries, e.Largest)
}

// versionControl are folders that hold a project's past, not itself.
var versionControl = map[string]bool{".git": true, ".hg": true, ".svn": true}

// OpenView looks at all that is in a folder. It fails with a *TooMuchError. The
// caller closes the View.
func OpenView(folder string, most Bounds) (*View, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	v := &View{root: root, most: most}
	if err := v.scan(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return v, nil
}

// Has reports whether the view shows anything right in the folder under a name.
func (v *View) Has(name string) bool {
	return slices.ContainsFunc(v.entries, func(e viewed) bool { return e.at == name })
}

// Close lets go of the folder.
func (v *View) Close() error { return v.root.Close() }

func (v *View) scan() error {
	shares := map[string]*share{}
	return fs.WalkDir(v.root.FS(), ".", func(at string, entry fs.DirEntry, err error) error {
		if at == "." {
			return err
		}
		if entry.IsDir() && versionControl[entry.Name()] {
			return fs.SkipDir
		}
		var info fs.FileInfo
		if err == nil {
			info, err = entry.Info()
		}
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || err == nil && !v.shows(at, info) {
			v.Skipped++
			return nil
		}
		if err != nil {
			return err
		}
		v.entries = append(v.entries, viewed{at, info})
		first, _, _ := strings.Cut(at, "/")
		if shares[first] == nil {
			shares[first] = &share{}
		}
		shares[first].entries++
		if info.Mode().IsRegular() {
			v.bytes += info.Size()
			shares[first].bytes += info.Size()
		}
		if len(v.entries) > v.most.Entries || v.bytes > v.most.Bytes {
			return &TooMuchError{v.most, largest(shares, v.bytes > v.most.Bytes)}
		}
		return nil
	})
}

// share is what an entry right in the folder holds.
type share struct {
	entries int
	bytes   int64
}

func largest(shares map[string]*share, byBytes bool) string {
	var name string
	var most int64 = -1
	for n, s := range shares {
		size := int64(s.entries)
		if byBytes {
			size = s.bytes
		}
		if size > most || size == most && n < name {
			name, most = n, size
		}
	}
	return name
}

// shows reports whether an entry is shown at all.
func (v *View) shows(at string, info fs.FileInfo) bool {
	switch info.Mode().Type() {
	case 0, fs.ModeDir:
		return true
	case fs.ModeSymlink:
		target, err := v.root.Readlink(filepath.FromSlash(at))
		return err == nil && inside(at, filepath.ToSlash(target))
	}
	return false
}

// Pack writes the view as Unpack takes it. Its owner may write to all of it.
func (v *View) Pack(w io.Writer) error {
	out := tar.NewWriter(w)
	top := tar.Header{Name: Top + "/", Typeflag: tar.TypeDir, Mode: 0o755, Format: tar.FormatPAX}
	if err := out.WriteHeader(&top); err != nil {
		return err
	}
	var sent int64
	for _, e := range v.entries {
		size, err := v.pack(out, e, v.most.Bytes-sent)
		if err != nil {
			return err
		}
		sent += size
	}
	return out.Close()
}

// pack writes one entry, of at most that many bytes. What has gone since, or has
// become something else, is left out.
func (v *View) pack(out *tar.Writer, e viewed, most int64) (size int64, err error) {
	header := tar.Header{Name: path.Join(Top, e.at), Mode: int64(e.info.Mode().Perm() | 0o200), ModTime: e.info.ModTime(), Format: tar.FormatPAX}
	at := filepath.FromSlash(e.at)
	switch e.info.Mode().Type() {
	case fs.ModeDir:
		header.Typeflag, header.Mode = tar.TypeDir, header.Mode|0o700
		header.Name += "/"
		return 0, out.WriteHeader(&header)
	case fs.ModeSymlink:
		target, err := v.root.Readlink(at)
		if err != nil {
			return 0, nil
		}
		header.Typeflag, header.Linkname = tar.TypeSymlink, filepath.ToSlash(target)
		return 0, out.WriteHeader(&header)
	}
	f, err := v.root.OpenFile(at, os.O_RDONLY|noWait, 0)
	if err != nil {
		return 0, nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, err
	}
	if info.Size() > most {
		return 0, &TooMuchError{v.most, e.at}
	}
	return info.Size(), packContent(out, f, info.Size(), header)
}

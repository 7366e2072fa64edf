package fake

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// tree of files in memory, by absolute path. Folders are there as soon as
// anything is in them. What programs write in bulk is counted, not kept.
type tree struct {
	limit int64

	mu    sync.Mutex // guards what follows
	used  int64
	files map[string]*file
}

type file struct {
	data []byte // the beginning; the rest up to size is zeros
	size int64
	mode uint32
}

// zeros are an endless source of them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// reader reads the whole file.
func (f file) reader() io.Reader {
	return io.LimitReader(io.MultiReader(bytes.NewReader(f.data), zeros{}), f.size)
}

func newTree(limit int64) *tree { return &tree{limit: limit, files: map[string]*file{}} }

// put writes a whole file. It fails with ENOSPC.
func (t *tree) put(path string, data []byte, mode uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropLocked(path)
	if err := t.chargeLocked(int64(len(data))); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	t.files[path] = &file{data: data, size: int64(len(data)), mode: mode}
	return nil
}

// grow adds zeros to a file that is there.
func (t *tree) grow(path string, size int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.files[path]
	if f == nil {
		return &fs.PathError{Op: "write", Path: path, Err: syscall.ENOENT}
	}
	if err := t.chargeLocked(size); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	f.size += size
	return nil
}

func (t *tree) chargeLocked(size int64) error {
	if t.used+size > t.limit {
		return syscall.ENOSPC
	}
	t.used += size
	return nil
}

func (t *tree) get(path string) (file, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.files[path]; f != nil {
		return *f, nil
	}
	return file{}, &fs.PathError{Op: "open", Path: path, Err: syscall.ENOENT}
}

func (t *tree) remove(path string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.files[path] == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: syscall.ENOENT}
	}
	t.dropLocked(path)
	return nil
}

// removeAll removes a folder with all that is in it.
func (t *tree) removeAll(folder string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for path := range t.files {
		if strings.HasPrefix(path, folder+"/") {
			t.dropLocked(path)
		}
	}
}

// below are the paths of the file at a path, or of those in a folder.
func (t *tree) below(at string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var paths []string
	for path := range t.files {
		if path == at || strings.HasPrefix(path, strings.TrimSuffix(at, "/")+"/") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// children are the names right below a folder; those of folders end in a slash.
func (t *tree) children(folder string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := map[string]bool{}
	for path := range t.files {
		if rest, below := strings.CutPrefix(path, strings.TrimSuffix(folder, "/")+"/"); below {
			name, _, deep := strings.Cut(rest, "/")
			if deep {
				name += "/"
			}
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (t *tree) dropLocked(path string) {
	if f := t.files[path]; f != nil {
		t.used -= f.size
		delete(t.files, path)
	}
}

func (t *tree) usage() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.used
}

package layer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/beneath"
)

// longestPath bounds the folders that Compare enters, in bytes: no system call
// takes more than 4095.
const longestPath = 4000

// Compare calls visit for each path at which two stacks of layers, the uppermost
// first, show different files; see runtime.Differ. It looks only at layers that
// one of the stacks has and the other has not, and below what these hide: its
// time grows with what has changed. The uppermost layer may change meanwhile.
//
// Nothing in the layers is trusted: no link in them is followed, and nothing but
// regular files is opened. A folder whose path has more than 4000 bytes is not
// entered.
func Compare(ctx context.Context, before, after []string, visit func(runtime.FileChange) error) error {
	c := comparison{ctx: ctx, visit: visit, layers: map[string]*source{}}
	defer c.close()
	a, err := c.open(before)
	if err != nil {
		return err
	}
	b, err := c.open(after)
	if err != nil {
		return err
	}
	return c.folder("", a, b)
}

// comparison is one Compare under way.
type comparison struct {
	ctx    context.Context
	visit  func(runtime.FileChange) error
	layers map[string]*source
}

// source is a layer's folder, open as a place.
type source struct{ fd int }

// view is what a stack shows as one folder: the layers in which it is, the
// uppermost first, down to one that hides those below it.
type view []*source

func (c *comparison) open(stack []string) (view, error) {
	var v view
	for _, name := range stack {
		if c.layers[name] == nil {
			fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if err != nil {
				return nil, fmt.Errorf("open a layer: %w", err)
			}
			c.layers[name] = &source{fd}
		}
		v = append(v, c.layers[name])
	}
	return v, nil
}

func (c *comparison) close() {
	for _, s := range c.layers {
		_ = unix.Close(s.fd)
	}
}

// entry is what a view shows under a name.
type entry struct {
	there  bool
	stat   unix.Stat_t
	target string  // of a symbolic link
	in     *source // of what is no folder
	folder view
}

func (e entry) kind() uint32 {
	if !e.there {
		return 0
	}
	return e.stat.Mode & unix.S_IFMT
}

// pair is what two views show under a name.
type pair struct {
	name          string
	before, after entry
}

// folder compares what two views show below a path. Nothing is held open while
// it goes deeper, so that no depth of folders uses descriptors up.
func (c *comparison) folder(at string, before, after view) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	pairs, err := c.pairs(at, before, after)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		below := path.Join(at, p.name)
		if err := c.pair(below, p); err != nil {
			return err
		}
		a, b := p.before.folder, p.after.folder
		if slices.Equal(a, b) || len(below) > longestPath {
			continue
		}
		if err := c.folder(below, a, b); err != nil {
			return err
		}
	}
	return nil
}

// pairs looks up all names that may differ below a path.
func (c *comparison) pairs(at string, before, after view) ([]pair, error) {
	names, err := differing(at, before, after)
	if err != nil {
		return nil, err
	}
	a, err := before.enter(at)
	defer a.close()
	if err != nil {
		return nil, err
	}
	b, err := after.enter(at)
	defer b.close()
	if err != nil {
		return nil, err
	}
	var pairs []pair
	for _, name := range names {
		p := pair{name: name}
		if p.before, err = a.find(name); err != nil {
			return nil, err
		}
		if p.after, err = b.find(name); err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// differing are the names, in order, below a path of all layers that one view has
// and the other has not. What both have they show alike, unless it is hidden by
// one of these, which then has an entry of that name itself.
func differing(at string, before, after view) ([]string, error) {
	names := map[string]bool{}
	for _, s := range slices.Concat(before, after) {
		if slices.Contains(before, s) && slices.Contains(after, s) {
			continue
		}
		fd, err := beneath.Exact(s.fd, orRoot(at), unix.O_RDONLY|unix.O_DIRECTORY)
		if vanished(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		folder := os.NewFile(uintptr(fd), at)
		list, err := folder.Readdirnames(-1)
		_ = folder.Close()
		if err != nil {
			return nil, fmt.Errorf("list a layer: %w", err)
		}
		for _, name := range list {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// vanished: a program has replaced a folder while it was looked at.
func vanished(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// orRoot is the path as openat2(2) takes it.
func orRoot(at string) string {
	if at == "" {
		return "."
	}
	return at
}

// entered is a view with its folders open, as places.
type entered []struct {
	*source
	fd int
}

// enter opens a view's folders. The caller closes them, also those that come with
// an error.
func (v view) enter(at string) (entered, error) {
	var e entered
	for _, s := range v {
		fd, err := beneath.Exact(s.fd, orRoot(at), unix.O_PATH|unix.O_DIRECTORY)
		if vanished(err) {
			continue
		}
		if err != nil {
			return e, err
		}
		e = append(e, struct {
			*source
			fd int
		}{s, fd})
	}
	return e, nil
}

func (e entered) close() {
	for _, folder := range e {
		_ = unix.Close(folder.fd)
	}
}

// find looks a name up as an overlay does.
func (e entered) find(name string) (entry, error) {
	var found entry
	for _, folder := range e {
		var stat unix.Stat_t
		err := unix.Fstatat(folder.fd, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
		if vanished(err) {
			continue
		}
		if err != nil {
			return found, fmt.Errorf("look at %s: %w", name, err)
		}
		kind := stat.Mode & unix.S_IFMT
		if isWhiteout := kind == unix.S_IFCHR && stat.Rdev == 0; isWhiteout || kind != unix.S_IFDIR && found.there {
			break
		}
		if !found.there {
			found.there, found.stat = true, stat
		}
		if kind != unix.S_IFDIR {
			found.in = folder.source
			found.target, err = target(folder.fd, name, kind)
			return found, err
		}
		found.folder = append(found.folder, folder.source)
		if isOpaque(fmt.Sprintf("/proc/self/fd/%d/%s", folder.fd, name)) {
			break
		}
	}
	return found, nil
}

// target reads a symbolic link.
func target(folder int, name string, kind uint32) (string, error) {
	if kind != unix.S_IFLNK {
		return "", nil
	}
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(folder, name, buffer)
	switch {
	case vanished(err), errors.Is(err, unix.EINVAL): // a link no more
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read link %s: %w", name, err)
	}
	return string(buffer[:n]), nil
}

package fake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/itechsmart/vm/runtime"
)

var _ runtime.Differ = (*Driver)(nil)

// Diff implements runtime.Differ. Folders are no files here.
func (d *Driver) Diff(ctx context.Context, ref runtime.Ref, from, to string, visit func(runtime.FileChange) error) error {
	m, err := d.find(ctx, ref)
	if err != nil {
		return err
	}
	before, err := m.filesIn(from)
	if err != nil {
		return err
	}
	after, err := m.filesIn(to)
	if err != nil {
		return err
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	paths := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
	})
	for _, path := range paths {
		change := runtime.FileChange{Path: path, Before: stateOf(before[path]), After: stateOf(after[path])}
		if change.Before != nil && change.After != nil {
			a, b := before[path], after[path]
			change.Content = a.size != b.size || !bytes.Equal(a.data, b.data)
			if !change.Content && change.Before.Same(*change.After) {
				continue
			}
		}
		if err := visit(change); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// filesIn are the files in a state.
func (m *machine) filesIn(state string) (map[string]*file, error) {
	if state == "" {
		return m.files.copy(), nil
	}
	return m.snapshot(state)
}

func stateOf(f *file) *runtime.FileState {
	if f == nil {
		return nil
	}
	return &runtime.FileState{
		Mode: fs.FileMode(f.mode).Perm(), UID: 1000, GID: 1000, Size: f.size,
		Read: func(limit int64) ([]byte, error) {
			if f.size > limit {
				return nil, fmt.Errorf("a file of %d bytes", f.size)
			}
			return io.ReadAll(f.reader())
		},
	}
}

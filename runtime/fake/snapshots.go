package fake

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/itechsmart/vm/runtime"
)

var _ runtime.Snapshotter = (*Driver)(nil)

// littleToCopy is how many bytes are copied at once beside programs that run.
const littleToCopy = 1 << 20

// Snapshot implements runtime.Snapshotter.
func (d *Driver) Snapshot(ctx context.Context, ref runtime.Ref, name string, atOnce bool, progress runtime.Progress) (int64, error) {
	m, err := d.find(ctx, ref)
	if err != nil {
		return 0, err
	}
	if !runtime.ValidSnapshotName(name) {
		return 0, fmt.Errorf("%w: snapshot name %q", runtime.ErrInvalidSpec, name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.snapshots[name]; taken {
		return 0, fmt.Errorf("%w: snapshot %q is there already", runtime.ErrInvalidSpec, name)
	}
	if atOnce && m.world.busyNow() && m.files.usage()-m.frozen > littleToCopy {
		return 0, fmt.Errorf("%s: %w", ref, runtime.ErrSlow)
	}
	progress.Report("copying files", -1)
	m.snapshots[name], m.frozen = m.files.copy(), m.files.usage()
	return m.frozen, nil
}

// Restore implements runtime.Snapshotter.
func (d *Driver) Restore(ctx context.Context, ref runtime.Ref, name string) (runtime.Machine, error) {
	m, err := d.find(ctx, ref)
	if err != nil {
		return runtime.Machine{}, err
	}
	files, err := m.snapshot(name)
	if err != nil {
		return runtime.Machine{}, err
	}
	if err := m.stop(ctx, 0); err != nil {
		return runtime.Machine{}, err
	}
	m.files.replace(files)
	if err := m.start(); err != nil {
		return runtime.Machine{}, err
	}
	return m.describe(), nil
}

// DeleteSnapshot implements runtime.Snapshotter.
func (d *Driver) DeleteSnapshot(ctx context.Context, ref runtime.Ref, name string) error {
	m, err := d.find(ctx, ref)
	if err != nil {
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.snapshots, name)
	return nil
}

// Snapshots implements runtime.Snapshotter.
func (d *Driver) Snapshots(ctx context.Context, ref runtime.Ref) ([]string, error) {
	m, err := d.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.snapshots)), nil
}

// Unchanged implements runtime.Snapshotter.
func (d *Driver) Unchanged(ctx context.Context, ref runtime.Ref, name string) (bool, error) {
	m, err := d.find(ctx, ref)
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	frozen, there := m.snapshots[name]
	return there && m.world != nil && maps.EqualFunc(frozen, m.files.copy(), (*file).equal), nil
}

func (f *file) equal(other *file) bool {
	return f.size == other.size && f.mode == other.mode && bytes.Equal(f.data, other.data)
}

// CreateFrom implements runtime.Snapshotter.
func (d *Driver) CreateFrom(ctx context.Context, spec runtime.Spec, from runtime.Ref, name string, progress runtime.Progress) (runtime.Machine, error) {
	source, err := d.find(ctx, from)
	if err != nil {
		return runtime.Machine{}, err
	}
	files, err := source.snapshot(name)
	if err != nil {
		return runtime.Machine{}, err
	}
	return d.create(ctx, spec, files, progress)
}

// Mend implements runtime.Snapshotter. Nothing here can be interrupted.
func (d *Driver) Mend(ctx context.Context, _ runtime.Ref) error { return ctx.Err() }

// snapshot finds what a snapshot holds.
func (m *machine) snapshot(name string) (map[string]*file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if files, ok := m.snapshots[name]; ok {
		return files, nil
	}
	return nil, fmt.Errorf("%w: %q of %s", runtime.ErrNoSnapshot, name, m.spec.Ref)
}

// busyNow reports whether programs run; a world that is nil has none.
func (w *world) busyNow() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.procs) > 0
}

// copy returns the files as they are.
func (t *tree) copy() map[string]*file {
	t.mu.Lock()
	defer t.mu.Unlock()
	return copyFiles(t.files)
}

// replace puts other files in the place of all that there are.
func (t *tree) replace(files map[string]*file) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.files, t.used = copyFiles(files), 0
	for _, f := range t.files {
		t.used += f.size
	}
}

// copyFiles copies all that a program can change; data is never written in place.
func copyFiles(files map[string]*file) map[string]*file {
	copies := make(map[string]*file, len(files))
	for path, f := range files {
		one := *f
		copies[path] = &one
	}
	return copies
}

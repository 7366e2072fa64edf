package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/layer"
	"github.com/itechsmart/vm/runtime/native/internal/mount"
	"github.com/itechsmart/vm/runtime/native/internal/tree"
)

var _ runtime.Snapshotter = (*Driver)(nil)

// snapshots is what snapshots cost on this host. They take mounts of the host's
// root, and a freezer.
func (h *host) snapshots() runtime.SnapshotCost {
	if h.identity.privileged && h.cgroups.has("freezer") {
		return runtime.SnapshotInstant
	}
	return ""
}

// layered is a machine whose layers are being worked on.
type layered struct {
	driver *Driver
	folder folder
	record record
	cgroup machineCgroup
	mounts mountTable // of the machine; see settle
}

// work finds a machine that is whole, and keeps others from its layers until done
// is called.
func (d *Driver) work(ref runtime.Ref) (m *layered, done func(), err error) {
	f := d.layout.machine(ref)
	done, err = lockLayers(f)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w", ref, runtime.ErrNoMachine)
	}
	if err != nil {
		return nil, nil, err
	}
	r, err := readRecord(ref, f)
	if err == nil && r.state() == runtime.Partial {
		err = fmt.Errorf("%s is half-made and can only be removed: %w", ref, runtime.ErrNotRunning)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return &layered{driver: d, folder: f, record: r, cgroup: d.cgroupOf(r)}, done, nil
}

// Snapshot implements runtime.Snapshotter.
func (d *Driver) Snapshot(ctx context.Context, ref runtime.Ref, name string, atOnce bool, progress runtime.Progress) (int64, error) {
	m, done, err := d.work(ref)
	if err != nil {
		return 0, err
	}
	defer done()
	switch {
	case !runtime.ValidSnapshotName(name):
		return 0, fmt.Errorf("snapshot name %q: %w", name, runtime.ErrInvalidSpec)
	case m.record.Snapshots[name] != nil:
		return 0, fmt.Errorf("snapshot %q is there already: %w", name, runtime.ErrInvalidSpec)
	case ctx.Err() != nil:
		return 0, ctx.Err()
	}
	next := m.record.clone()
	if m.record.state() == runtime.Running {
		err = m.snapshotRunning(ctx, &next, name, atOnce, progress)
	} else {
		err = m.freezeLayer(ctx, &next, name)
	}
	if err != nil {
		return 0, fmt.Errorf("snapshot of %s: %w", ref, err)
	}
	return m.size(ctx, next, name)
}

// size is what a new snapshot takes up. A disk tells how much is used of it; of
// other files the topmost layer is measured.
func (m *layered) size(ctx context.Context, next record, name string) (int64, error) {
	if next.Disk {
		return max(0, next.Used-m.record.Used), nil
	}
	return m.driver.measure(ctx, m.folder.layer(next.Snapshots[name][0]))
}

// measureDisk notes how much of the machine's disk is used, if it has one.
func (m *layered) measureDisk(next *record) (err error) {
	if next.Disk {
		next.Used, err = diskUsage(m.folder, m.record)
	}
	return err
}

// freezeLayer freezes the layer of a stopped machine.
func (m *layered) freezeLayer(ctx context.Context, next *record, name string) error {
	return inVolume(ctx, m.folder, m.record, func() error {
		if err := prepareLayer(m.folder, next, m.driver.identity()); err != nil {
			return err
		}
		squashed, err := next.freezeTop(m.folder, name, false)
		if err != nil {
			return err
		}
		if err := m.measureDisk(next); err != nil {
			return err
		}
		if err := next.write(m.folder); err != nil || !squashed {
			return err
		}
		return next.sweep(m.folder)
	})
}

// snapshotRunning has the machine stand still, and freezes its layer when nobody
// holds files of it, else copies it.
func (m *layered) snapshotRunning(ctx context.Context, next *record, name string, atOnce bool, progress runtime.Progress) (err error) {
	if err := m.cgroup.freeze(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.cgroup.thaw()) }()
	if err := m.settle(next); err != nil {
		return err
	}
	quiet, err := m.quieten(ctx)
	switch {
	case err != nil:
		return err
	case quiet:
		if err := m.measureDisk(next); err != nil {
			return err
		}
		return m.restack(ctx, next, name)
	}
	return inVolume(ctx, m.folder, m.record, func() error {
		if atOnce {
			if err := m.copiedAtOnce(next.Layers[0]); err != nil {
				return err
			}
		}
		progress.Report("copying files", -1)
		return m.copyLayer(ctx, next, name)
	})
}

// What a snapshot at once may copy: it takes milliseconds, and twenty of them take
// a small part of the machine's disk.
const (
	copiedFiles = 200
	copiedBytes = 4 << 20
	copiedPart  = 256 // of the disk: one in so many bytes
)

// copiedAtOnce fails with ErrSlow when it would take time to copy a layer.
func (m *layered) copiedAtOnce(name string) error {
	limit := min(copiedBytes, int64(m.record.Spec.Limits.DiskMiB)*mebibyte/copiedPart)
	small, err := tree.Within(m.folder.upper(name), copiedFiles, limit)
	if err == nil && !small {
		err = fmt.Errorf("programs hold files open, and much has been written since: %w", runtime.ErrSlow)
	}
	return err
}

// copyLayer copies the layer that is written to, beside it.
func (m *layered) copyLayer(ctx context.Context, next *record, name string) error {
	beside := next.clone()
	beside.addLayer()
	top := beside.Layers[0]
	err := tree.Remove(m.folder.layer(top)) // of one who died over it
	if err == nil {
		err = makeLayerFolder(m.folder, top)
	}
	if err == nil {
		err = layer.Copy(ctx, m.folder.upper(next.Layers[0]), m.folder.upper(top))
	}
	if err != nil {
		return errors.Join(err, tree.Remove(m.folder.layer(top)))
	}
	next.Last = beside.Last
	next.Snapshots[name] = append(stack{top}, next.Layers[1:]...)
	if err := m.measureDisk(next); err != nil {
		return err
	}
	return next.write(m.folder)
}

// Restore implements runtime.Snapshotter.
func (d *Driver) Restore(ctx context.Context, ref runtime.Ref, name string) (runtime.Machine, error) {
	m, done, err := d.work(ref)
	if err != nil {
		return runtime.Machine{}, err
	}
	defer done()
	frozen := m.record.Snapshots[name]
	if frozen == nil {
		return runtime.Machine{}, fmt.Errorf("%w: %q of %s", runtime.ErrNoSnapshot, name, ref)
	}
	// In use until it is again: a disk that is let go writes everything to its file
	// first, also what is about to be thrown away.
	disk, err := holdDisk(ctx, m.folder, m.record)
	if err != nil {
		return runtime.Machine{}, fmt.Errorf("restore %s: %w", ref, err)
	}
	defer func() { _ = disk.Close() }() // of nil too
	if err := d.halt(m.folder, &m.record); err != nil {
		return runtime.Machine{}, err
	}
	next := m.record.clone()
	next.Layers = slices.Clone(frozen)
	next.addLayer()
	if err := onVolume(m.folder, disk, func() error { return m.putBack(&next) }); err != nil {
		return runtime.Machine{}, fmt.Errorf("restore %s: %w", ref, err)
	}
	if err := d.boot(ctx, m.folder, &next, true); err != nil {
		return runtime.Machine{}, errors.Join(err, d.halt(m.folder, &next))
	}
	return next.machine(m.folder), nil
}

// putBack puts an empty layer on those of a snapshot, in the place of what was
// written since. That goes first, since it may have filled the disk; who dies in
// between leaves a machine that gets its layer when it is started. Nothing is
// merged before the record on disk has forgotten it: it may lie on the same layers.
func (m *layered) putBack(next *record) error {
	if err := next.write(m.folder); err != nil {
		return err
	}
	if err := next.sweep(m.folder); err != nil {
		return err
	}
	squashed, err := next.squash(m.folder, false)
	if err == nil && squashed {
		if err = next.write(m.folder); err == nil {
			err = next.sweep(m.folder)
		}
	}
	if err != nil {
		return err
	}
	return emptyLayer(m.folder, next.Layers)
}

// DeleteSnapshot implements runtime.Snapshotter.
func (d *Driver) DeleteSnapshot(ctx context.Context, ref runtime.Ref, name string) error {
	m, done, err := d.work(ref)
	if errors.Is(err, runtime.ErrNoMachine) {
		return nil
	}
	if err != nil {
		return err
	}
	defer done()
	frozen := m.record.Snapshots[name]
	if frozen == nil {
		return nil
	}
	next := m.record.clone()
	delete(next.Snapshots, name)
	if err := next.write(m.folder); err != nil {
		return err
	}
	if !slices.ContainsFunc(frozen, func(l string) bool { return !next.needed(l) }) {
		return nil // all of it is part of others; it is merged when that can be done
	}
	return inVolume(ctx, m.folder, next, func() error { return next.sweep(m.folder) })
}

// Snapshots implements runtime.Snapshotter.
func (d *Driver) Snapshots(_ context.Context, ref runtime.Ref) ([]string, error) {
	r, err := readRecord(ref, d.layout.machine(ref))
	if err != nil {
		return nil, err
	}
	return slices.Collect(maps.Keys(r.Snapshots)), nil
}

// CreateFrom implements runtime.Snapshotter. The layers are copied to the new
// machine's own disk.
func (d *Driver) CreateFrom(ctx context.Context, spec runtime.Spec, from runtime.Ref, name string, progress runtime.Progress) (runtime.Machine, error) {
	if err := d.validate(spec); err != nil {
		return runtime.Machine{}, err
	}
	source, done, err := d.work(from)
	if err != nil {
		return runtime.Machine{}, err
	}
	copied := sync.OnceFunc(done)
	defer copied()
	frozen := source.record.Snapshots[name]
	if frozen == nil {
		return runtime.Machine{}, fmt.Errorf("%w: %q of %s", runtime.ErrNoSnapshot, name, from)
	}
	h, err := d.host()
	if err != nil {
		return runtime.Machine{}, err
	}
	r := record{
		Spec: spec, Phase: making, Owner: runtime.Self().String(), Enforcement: h.enforcement(),
		Disk: h.disks, Base: source.record.Base, Layers: slices.Clone(frozen), Last: source.record.Last,
	}
	r.addLayer()
	progress.Report("copying files", -1)
	return d.make(ctx, r, func(f folder) error {
		defer copied()
		return copyLayers(ctx, source, f, r)
	})
}

// copyLayers copies the frozen layers of a record from the machine that has them.
func copyLayers(ctx context.Context, source *layered, f folder, r record) error {
	return inVolume(ctx, source.folder, source.record, func() error {
		if r.Disk {
			disk, _, err := mountDisk(f.disk())
			if err != nil {
				return err
			}
			defer func() { _ = disk.Close() }()
			if err := mount.AttachAt(disk, f.volume()); err != nil {
				return err
			}
		}
		for _, name := range r.Layers[1:] {
			if err := makeLayerFolder(f, name); err != nil {
				return err
			}
			if err := layer.Copy(ctx, source.folder.upper(name), f.upper(name)); err != nil {
				return err
			}
		}
		return nil
	})
}

func makeLayerFolder(f folder, name string) error {
	if err := os.MkdirAll(f.layer(name), 0o700); err != nil {
		return fmt.Errorf("make the layer: %w", err)
	}
	return nil
}

// Mend implements runtime.Snapshotter.
func (d *Driver) Mend(ctx context.Context, ref runtime.Ref) error {
	m, done, err := d.work(ref)
	if errors.Is(err, runtime.ErrNoMachine) || errors.Is(err, runtime.ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer done()
	h, err := d.host()
	if err != nil || h.snapshots() == "" {
		return err
	}
	next := m.record.clone()
	if err := m.settle(&next); err != nil {
		return err
	}
	if err := next.write(m.folder); err != nil {
		return err
	}
	if err := m.cgroup.thaw(); err != nil {
		return err
	}
	return inVolume(ctx, m.folder, next, func() error { return next.sweep(m.folder) })
}

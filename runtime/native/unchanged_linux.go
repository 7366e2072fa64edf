package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/layer"
)

// scratchRoot is the folder of the machine's root in which every execution has a
// folder of its own for a while; see package lang.
const scratchRoot = "tmp"

// Unchanged implements runtime.Snapshotter: the snapshot is all that lies below
// the layer that is written to, and nothing has been written.
func (d *Driver) Unchanged(ctx context.Context, ref runtime.Ref, name string) (bool, error) {
	m, done, err := d.work(ref)
	if err != nil {
		return false, err
	}
	defer done()
	frozen := m.record.Snapshots[name]
	if m.record.state() != runtime.Running || frozen == nil || !slices.Equal(frozen, m.record.Layers[1:]) {
		return false, nil
	}
	volume := m.folder.volume()
	if m.record.Disk {
		// Nothing is attached anywhere: the mount goes with the descriptor.
		disk, err := holdDisk(ctx, m.folder, m.record)
		if err != nil {
			return false, err
		}
		defer func() { _ = disk.Close() }()
		volume = fmt.Sprintf("/proc/self/fd/%d", disk.Fd())
	}
	upper := func(name string) string { return filepath.Join(volume, "layers", name, "upper") }
	// Somebody who dies over a restack leaves the layer that he was putting in
	// place. Then the record may not be true of the machine; see settle.
	next := m.record
	next.addLayer()
	if _, err := os.Lstat(filepath.Dir(upper(next.Layers[0]))); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	var below []string
	for _, name := range m.record.Layers[1:] {
		below = append(below, upper(name))
	}
	return layer.Untouched(upper(m.record.Layers[0]), append(below, m.record.Base.Lower...), scratchRoot)
}

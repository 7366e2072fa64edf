package native

import (
	"context"
	"fmt"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/layer"
)

var _ runtime.Differ = (*Driver)(nil)

// Diff implements runtime.Differ, from the layers that the states do not share.
// It keeps others from taking or restoring snapshots meanwhile.
func (d *Driver) Diff(ctx context.Context, ref runtime.Ref, from, to string, visit func(runtime.FileChange) error) error {
	m, done, err := d.work(ref)
	if err != nil {
		return err
	}
	defer done()
	before, err := m.foldersOf(from)
	if err != nil {
		return err
	}
	after, err := m.foldersOf(to)
	if err != nil {
		return err
	}
	return inVolume(ctx, m.folder, m.record, func() error { return layer.Compare(ctx, before, after, visit) })
}

// foldersOf are the folders of a state's layers, the uppermost first: those of a
// snapshot, or of now when it is "".
func (m *layered) foldersOf(state string) ([]string, error) {
	layers := m.record.Layers
	if state != "" {
		if layers = m.record.Snapshots[state]; layers == nil {
			return nil, fmt.Errorf("%w: %q of %s", runtime.ErrNoSnapshot, state, m.record.Spec.Ref)
		}
	}
	var folders []string
	for _, name := range layers {
		folders = append(folders, m.folder.upper(name))
	}
	return append(folders, m.record.Base.Lower...), nil
}

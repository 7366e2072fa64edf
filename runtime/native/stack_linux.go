package native

import (
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/itechsmart/vm/runtime/native/internal/layer"
	"github.com/itechsmart/vm/runtime/native/internal/tree"
)

// stack names layers, the uppermost first. A machine writes to the first of its
// own; a snapshot freezes that one and puts an empty one on it. So layers form a
// tree, in which every snapshot is a way to the root.
type stack []string

// addLayer puts a layer of a new name on the machine's own.
func (r *record) addLayer() {
	r.Last++
	r.Layers = append(stack{fmt.Sprintf("%04d", r.Last)}, r.Layers...)
}

// lower are the folders below the layer that is written to.
func (r *record) lower(f folder) []string {
	var folders []string
	for _, name := range r.Layers[1:] {
		folders = append(folders, f.upper(name))
	}
	return append(folders, r.Base.Lower...)
}

// stacks are all that a layer may be needed by.
func (r *record) stacks() []stack {
	all := []stack{r.Layers}
	for _, s := range r.Snapshots {
		all = append(all, s)
	}
	return all
}

// needed reports whether anything needs the layer.
func (r *record) needed(name string) bool {
	return slices.ContainsFunc(r.stacks(), func(s stack) bool { return slices.Contains(s, name) })
}

// mergeable finds two frozen layers, one right on the other, that nothing tells
// apart any more: whatever has one has both. Upper ones that are to be left are
// passed over.
func (r *record) mergeable(leave stack) (upper, lower string, found bool) {
	for i := 1; i+1 < len(r.Layers); i++ {
		upper, lower = r.Layers[i], r.Layers[i+1]
		if slices.Contains(leave, upper) {
			continue
		}
		apart := slices.ContainsFunc(r.stacks(), func(s stack) bool {
			at := slices.Index(s, lower)
			return at == 0 || at > 0 && s[at-1] != upper
		})
		if !apart {
			return upper, lower, true
		}
	}
	return "", "", false
}

// forget takes a layer out of all stacks.
func (r *record) forget(name string) {
	same := func(n string) bool { return n == name }
	r.Layers = slices.DeleteFunc(r.Layers, same)
	for key, s := range r.Snapshots {
		r.Snapshots[key] = slices.DeleteFunc(s, same)
	}
}

// clone copies what changes are tried on.
func (r record) clone() record {
	snapshots := make(map[string]stack, len(r.Snapshots))
	for name, s := range r.Snapshots {
		snapshots[name] = slices.Clone(s)
	}
	r.Layers, r.Snapshots = slices.Clone(r.Layers), snapshots
	return r
}

// emptyLayer makes the folder of the uppermost layer, like that of the one below:
// it is the machine's root. It appears at once.
func emptyLayer(f folder, layers stack) error {
	upper, making := f.upper(layers[0]), f.upper(layers[0])+".making"
	err := tree.Remove(f.layer(layers[0])) // of one who died over it
	if err == nil {
		err = os.MkdirAll(making, 0o700)
	}
	if err == nil {
		err = layer.Attributes(f.upper(layers[1]), making)
	}
	if err == nil {
		err = os.Rename(making, upper)
	}
	if err != nil {
		return fmt.Errorf("make the layer: %w", err)
	}
	return nil
}

// freezeTop makes the record's layers the snapshot of that name, and puts an empty
// one on them; for the volume, atOnce and squashed see squash.
func (r *record) freezeTop(f folder, name string, atOnce bool) (squashed bool, err error) {
	if squashed, err = r.squash(f, atOnce); err != nil {
		return false, err
	}
	r.Snapshots[name] = slices.Clone(r.Layers)
	r.addLayer()
	return squashed, emptyLayer(f, r.Layers)
}

// squash merges the layers that nothing tells apart any more, so that a machine
// with few snapshots has few layers, however many it has had, and reports whether
// there were any: sweep removes what is left of them, once the record on disk does
// not name them any more. The volume must be mounted, and nobody at work on it.
//
// With atOnce, layers of many files wait for another time, unless the stack has
// become too high: their merger takes longer than milliseconds.
func (r *record) squash(f folder, atOnce bool) (squashed bool, err error) {
	const (
		manyFiles = 500 // each is renamed
		tooHigh   = 100 // the kernel stacks 500; overlayfs, OVL_MAX_STACK
	)
	var left stack
	for {
		upper, lower, found := r.mergeable(left)
		if !found {
			return squashed, nil
		}
		if atOnce && len(r.Layers) < tooHigh {
			few, err := tree.Within(f.upper(upper), manyFiles, math.MaxInt64)
			if err != nil {
				return squashed, fmt.Errorf("measure a layer: %w", err)
			}
			if !few {
				left = append(left, upper)
				continue
			}
		}
		if err := layer.Merge(f.upper(upper), f.upper(lower)); err != nil {
			return squashed, err
		}
		r.forget(upper)
		squashed = true
	}
}

// sweep removes the layers that nothing needs. The volume must be mounted.
func (r *record) sweep(f folder) error {
	entries, err := os.ReadDir(f.layers())
	if err != nil {
		return fmt.Errorf("look for layers: %w", err)
	}
	for _, e := range entries {
		if r.needed(e.Name()) {
			continue
		}
		if err := tree.Remove(f.layer(e.Name())); err != nil {
			return fmt.Errorf("remove a layer: %w", err)
		}
	}
	return nil
}

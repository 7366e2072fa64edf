package layer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/native/internal/tree"
)

// opaque marks a folder that hides what lies below it in lower layers.
const opaque = "trusted.overlay.opaque"

// Merge moves all of upper, a layer that lies right on lower, into lower. It takes
// a time that grows with the entries of upper, not with their size. Who dies in
// the middle has changed nothing: at every moment the two together show the same
// files. Merging again ends it.
func Merge(upper, lower string) error {
	return merge(upper, lower)
}

// merge merges folders that are there in both.
func merge(upper, lower string) error {
	entries, err := os.ReadDir(upper)
	if err != nil {
		return fmt.Errorf("merge layers: %w", err)
	}
	for _, e := range entries {
		if err := mergeEntry(filepath.Join(upper, e.Name()), filepath.Join(lower, e.Name()), e.IsDir()); err != nil {
			return err
		}
	}
	if err := Attributes(upper, lower); err != nil {
		return fmt.Errorf("merge layers: %w", err)
	}
	return nil
}

func mergeEntry(above, below string, folder bool) error {
	var stat unix.Stat_t
	err := unix.Lstat(below, &stat)
	if errors.Is(err, unix.ENOENT) {
		return move(above, below)
	}
	if err != nil {
		return fmt.Errorf("merge layers: %w", err)
	}
	belowFolder := stat.Mode&unix.S_IFMT == unix.S_IFDIR
	switch {
	case folder && belowFolder && !isOpaque(above):
		if err := merge(above, below); err != nil {
			return err
		}
		return tree.Remove(above)
	case folder && !belowFolder:
		// A file hid what lies under both; the folder alone must do that now.
		if err := unix.Lsetxattr(above, opaque, []byte("y"), 0); err != nil {
			return fmt.Errorf("merge layers: %w", err)
		}
	}
	// It is hidden by what is above, so its absence shows nowhere.
	if belowFolder || folder {
		if err := tree.Remove(below); err != nil {
			return fmt.Errorf("merge layers: %w", err)
		}
	}
	return move(above, below)
}

func move(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("merge layers: %w", err)
	}
	return nil
}

func isOpaque(folder string) bool {
	value := make([]byte, 1)
	n, err := unix.Lgetxattr(folder, opaque, value)
	return err == nil && n == 1 && value[0] == 'y'
}

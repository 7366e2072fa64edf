package layer_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/layer"
	"github.com/itechsmart/vm/runtime/native/internal/mount"
)

// TestCompareTellsWhatOverlaysShow makes random changes in one overlay on another,
// and holds Compare to the differences between what the kernel shows of any two.
func TestCompareTellsWhatOverlaysShow(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("overlays of this kind are for root")
	}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			dir := t.TempDir()
			bottom := filepath.Join(dir, "bottom")
			if err := os.Mkdir(bottom, 0o755); err != nil {
				t.Fatal(err)
			}
			change(t, random, bottom, 60)
			stacks := [][]string{{bottom}}
			shown := []map[string]string{contents(t, bottom)}
			for i := range 4 {
				// Mostly on the last one, now and then on another: as after a restoration.
				below := stacks[len(stacks)-1]
				if random.IntN(3) == 0 {
					below = stacks[random.IntN(len(stacks))]
				}
				upper := filepath.Join(dir, fmt.Sprint("upper", i))
				if err := os.Mkdir(upper, 0o755); err != nil {
					t.Fatal(err)
				}
				root, err := mount.Overlay(mount.Layers{Lower: below, Upper: upper, Work: filepath.Join(dir, fmt.Sprint("work", i))})
				if err != nil {
					t.Skipf("no overlays here: %v", err)
				}
				place := fmt.Sprintf("/proc/self/fd/%d/.", root.Fd())
				change(t, random, place, 30)
				stacks = append(stacks, append([]string{upper}, below...))
				shown = append(shown, contents(t, place))
				_ = root.Close()
			}
			for a := range stacks {
				for b := range stacks {
					compare(t, stacks[a], stacks[b], shown[a], shown[b])
				}
			}
		})
	}
}

// compare holds Compare to what differs between two maps.
func compare(t *testing.T, before, after []string, shownBefore, shownAfter map[string]string) {
	t.Helper()
	want, got := map[string]string{}, map[string]string{}
	for path, state := range shownBefore {
		if shownAfter[path] != state {
			want[path] = state + " → " + shownAfter[path]
		}
	}
	for path, state := range shownAfter {
		if shownBefore[path] == "" {
			want[path] = " → " + state
		}
	}
	describe := func(s *runtime.FileState) string {
		if s == nil {
			return ""
		}
		text := s.Mode.String() + s.Target
		if s.Mode.IsRegular() {
			data, err := s.Read(1 << 10)
			if err != nil {
				t.Error(err)
			}
			text += string(data)
		}
		return text
	}
	err := layer.Compare(t.Context(), before, after, func(c runtime.FileChange) error {
		got[c.Path] = describe(c.Before) + " → " + describe(c.After)
		return nil
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("from %d layers to %d: %v (-want +got):\n%s", len(before), len(after), err, diff)
	}
}

// names are few, so that changes meet.
var names = []string{"a", "b", "c", "d"}

// change makes random changes in a folder. What cannot be done, because of what
// was done before, is left.
func change(t *testing.T, random *rand.Rand, folder string, count int) {
	t.Helper()
	somewhere := func() string {
		at := folder
		for range 1 + random.IntN(3) {
			at = filepath.Join(at, names[random.IntN(len(names))])
		}
		return at
	}
	steps := []func(at string) error{
		func(at string) error { return os.MkdirAll(at, 0o755) },
		func(at string) error { return os.MkdirAll(at, 0o700) },
		func(at string) error { return os.WriteFile(at, []byte{'0' + byte(random.IntN(10))}, 0o644) },
		func(at string) error { return os.WriteFile(at, []byte("text"), 0o755) },
		func(at string) error { return os.Symlink(names[random.IntN(len(names))], at) },
		func(at string) error { return os.RemoveAll(at) },
		func(at string) error { return os.Rename(at, somewhere()) },
		func(at string) error { return os.Link(at, somewhere()) },
		func(at string) error { return chmod(at, fs.FileMode(0o700+random.IntN(8))) },
	}
	for tries := 0; count > 0; tries++ {
		if steps[random.IntN(len(steps))](somewhere()) == nil {
			count--
		}
		if tries == 10_000 {
			t.Fatalf("%d changes cannot be made", count)
		}
	}
}

// chmod leaves links, and what they lead to.
func chmod(at string, mode fs.FileMode) error {
	info, err := os.Lstat(at)
	if err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return err
	}
	return os.Chmod(at, mode)
}

// contents are all files below a folder, in words.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	var look func(at string)
	look = func(at string) {
		entries, err := os.ReadDir(folder + at)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			below := at + "/" + e.Name()
			info, err := os.Lstat(folder + below)
			if err != nil {
				t.Fatal(err)
			}
			text := info.Mode().String()
			switch {
			case info.IsDir():
				look(below)
			case info.Mode().IsRegular():
				data, err := os.ReadFile(folder + below)
				if err != nil {
					t.Fatal(err)
				}
				text += string(data)
			default:
				target, err := os.Readlink(folder + below)
				if err != nil {
					t.Fatal(err)
				}
				text += target
			}
			found[below] = text
		}
	}
	look("")
	return found
}

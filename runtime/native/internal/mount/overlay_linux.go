package mount

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/native/internal/tree"
)

// Layers of an overlay, as folders. Upper and Work are on one file system; Work
// is made anew each time.
type Layers struct {
	Name  string   `json:"name"`  // shown as the mount's source; empty = machine
	Lower []string `json:"lower"` // the uppermost first
	Upper string   `json:"upper"`
	Work  string   `json:"work"`
	// UserXattr keeps the overlay's own marks in attributes that an ordinary
	// user may write. Needed where the mounter is not the host's root.
	UserXattr bool `json:"userXattr,omitempty"`
}

// fewLayers are as many as can be named in full: fsconfig(2) takes 255 bytes.
const fewLayers = 8

// Overlay stacks layers into one file system.
//
// It is volatile: nothing in it is ever synced, so that it unmounts in no time.
// A machine's scratch files need not survive a crash of the host.
//
// The folders are named to the kernel by descriptor, since it shows the names to
// everybody inside the machine. Where there are many, the calling thread must
// have a working directory of its own (CLONE_FS), which becomes the root.
func Overlay(l Layers) (*os.File, error) {
	var held []*os.File
	defer func() {
		for _, f := range held {
			_ = f.Close()
		}
	}()
	names := "/proc/self/fd/%d"
	if len(l.Lower) > fewLayers {
		if err := unix.Chdir("/proc/thread-self/fd"); err != nil {
			return nil, fmt.Errorf("stack layers: %w", err)
		}
		defer func() { _ = unix.Chdir("/") }()
		names = "%d"
	}
	name := func(path string) (string, error) {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return "", fmt.Errorf("open layer %s: %w", path, err)
		}
		held = append(held, os.NewFile(uintptr(fd), path))
		return fmt.Sprintf(names, fd), nil
	}

	var lower []string
	for _, path := range l.Lower {
		n, err := name(path)
		if err != nil {
			return nil, err
		}
		lower = append(lower, n)
	}
	upper, err := name(l.Upper)
	if err != nil {
		return nil, err
	}
	if err := freshWork(l.Work); err != nil {
		return nil, err
	}
	work, err := name(l.Work)
	if err != nil {
		return nil, err
	}
	options := []Option{
		{"lowerdir", strings.Join(lower, ":")},
		{"upperdir", upper},
		{"workdir", work},
		{"volatile", ""},
		{"source", cmp.Or(l.Name, "machine")},
	}
	if l.UserXattr {
		options = append(options, Option{"userxattr", ""})
	} else {
		// A layer holds whole files at their own paths, whatever the kernel's
		// defaults are: that is what package layer takes apart. With userxattr the
		// kernel does neither.
		options = append(options, Option{"redirect_dir", "off"}, Option{"metacopy", "off"})
	}
	return New("overlay", NoSUID|NoDev, options...)
}

// freshWork empties a work folder. The kernel marks that of a volatile overlay so
// that it is not used again, since files may have been lost if the host crashed
// in between. These files may.
func freshWork(path string) error {
	if err := tree.Remove(path); err != nil {
		return fmt.Errorf("clear the work folder: %w", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return fmt.Errorf("make the work folder: %w", err)
	}
	return nil
}

package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// freezerFile returns the file that stops a cgroup, the words for it, the file
// that tells when all stands still, and the line that says so; see cgroups(7).
func (c machineCgroup) freezerFile() (file, frozen, thawed, state, said string) {
	if c.version2 {
		folder := c.paths[""]
		return filepath.Join(folder, "cgroup.freeze"), "1", "0", filepath.Join(folder, "cgroup.events"), "frozen 1"
	}
	if c.paths["freezer"] == "" {
		return "", "", "", "", ""
	}
	file = filepath.Join(c.paths["freezer"], "freezer.state")
	return file, "FROZEN", "THAWED", file, "FROZEN"
}

// freeze makes every process of the cgroup stand still. When it fails, they go on.
func (c machineCgroup) freeze(ctx context.Context) error {
	const poll = 200 * time.Microsecond
	file, frozen, _, state, said := c.freezerFile()
	for {
		// Written again each time: version 1 does not wait for what is being
		// forked meanwhile.
		if err := os.WriteFile(file, []byte(frozen), 0); err != nil {
			return errors.Join(fmt.Errorf("freeze a machine: %w", err), c.thaw())
		}
		text, err := os.ReadFile(state)
		if err != nil {
			return errors.Join(fmt.Errorf("freeze a machine: %w", err), c.thaw())
		}
		for line := range strings.Lines(string(text)) {
			if strings.TrimSpace(line) == said {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("freeze a machine: %w", ctx.Err()), c.thaw())
		case <-time.After(poll):
		}
	}
}

// thaw lets the cgroup's processes go on. It is no error when there is none.
func (c machineCgroup) thaw() error {
	file, _, thawed, _, _ := c.freezerFile()
	if file == "" {
		return nil
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.WriteFile(file, []byte(thawed), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("let a machine go on: %w", err)
	}
	return nil
}

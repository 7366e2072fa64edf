package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// stillness says whether a process minds that its machine gets another root.
type stillness int

// From the least to the most.
const (
	busy    stillness = iota // it holds files of the root
	passing                  // it reads a folder, which takes no time
	quiet                    // it does not
)

// quietTries and quietPause bound the wait for processes that are only passing: an
// interpreter that starts, to wait for programs, reads folders for some
// milliseconds.
const (
	quietTries = 8
	quietPause = 2 * time.Millisecond
)

// quieten reports whether nobody in the frozen machine minds another root, if
// need be after it has gone on for some moments.
func (m *layered) quieten(ctx context.Context) (bool, error) {
	for try := 1; ; try++ {
		s, err := m.quiet()
		if err != nil || s != passing || try == quietTries {
			return s == quiet, err
		}
		if err := m.cgroup.thaw(); err != nil {
			return false, err
		}
		time.Sleep(quietPause)
		if err := m.cgroup.freeze(ctx); err != nil {
			return false, err
		}
	}
}

// quiet tells whether a process of the frozen machine holds files of its root in a
// way that another root would change: as working directory, as a folder, to be
// written, or as writable memory.
func (m *layered) quiet() (stillness, error) {
	init := m.record.init().PID
	var root unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/root/.", init), &root); err != nil {
		return busy, fmt.Errorf("look at the machine's root: %w", err)
	}
	file, _, _, _, _ := m.cgroup.freezerFile()
	pids, err := cgroups.GetPids(filepath.Dir(file))
	if err != nil {
		return busy, fmt.Errorf("list the machine's processes: %w", err)
	}
	least := quiet
	for _, pid := range pids {
		s, err := quietProcess(pid, m.mounts.root().id, root)
		if err != nil || s == busy {
			return busy, err
		}
		least = min(least, s)
	}
	return least, nil
}

func quietProcess(pid, rootMount int, root unix.Stat_t) (stillness, error) {
	for _, place := range []string{"cwd", "root"} {
		var stat unix.Stat_t
		err := unix.Stat(fmt.Sprintf("/proc/%d/%s/.", pid, place), &stat)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			return quiet, nil // it has ended, and waits to be reaped
		}
		if err != nil {
			return busy, fmt.Errorf("look at a process of the machine: %w", err)
		}
		if stat.Dev != root.Dev || stat.Ino != root.Ino {
			return busy, nil
		}
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return busy, fmt.Errorf("look at a process of the machine: %w", err)
	}
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if len(fields) > 5 && strings.HasPrefix(fields[1][1:], "w") && strings.HasSuffix(fields[1], "s") && fields[5][0] == '/' {
			return busy, nil
		}
	}
	return quietFiles(pid, rootMount)
}

func quietFiles(pid, rootMount int) (stillness, error) {
	folder := fmt.Sprintf("/proc/%d/fdinfo", pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return busy, fmt.Errorf("look at a process of the machine: %w", err)
	}
	least := quiet
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return busy, fmt.Errorf("look at a process of the machine: %w", err)
		}
		s := held(string(text), rootMount)
		if s == busy {
			return busy, nil
		}
		least = min(least, s)
	}
	return least, nil
}

// held tells what a descriptor means. A file of the mount that is read keeps its
// content, whatever becomes of its name.
func held(fdinfo string, rootMount int) stillness {
	var flags int64
	var id int
	for line := range strings.Lines(fdinfo) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "flags":
			flags, _ = strconv.ParseInt(strings.TrimSpace(value), 8, 64)
		case "mnt_id":
			id, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	switch {
	case id != rootMount:
		return quiet
	case flags&unix.O_ACCMODE != unix.O_RDONLY, flags&unix.O_PATH != 0:
		return busy
	case flags&unix.O_DIRECTORY != 0:
		return passing
	}
	return quiet
}

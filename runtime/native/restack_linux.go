package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/native/internal/beneath"
	"github.com/itechsmart/vm/runtime/native/internal/mount"
)

// A running machine gets another root below its processes: a stack with one more
// layer, put in the place of the old one by pivot_root(2), which also moves every
// process whose root and working directory are the old root itself. That is
// enough for all that do not hold files of the old stack: the guest, its idle
// supervisors, and whatever else merely waits; see quiet. Nobody notices.

// restack puts an empty layer on a frozen machine's own, and records that what is
// below is a snapshot. Who dies before that leaves a machine with either root, that
// stands still; settle tells which.
func (m *layered) restack(ctx context.Context, next *record, name string) error {
	return inVolume(ctx, m.folder, m.record, func() error {
		squashed, err := next.squash(m.folder, true)
		if err != nil {
			return err
		}
		next.Snapshots[name] = slices.Clone(next.Layers)
		next.addLayer()
		if err := emptyLayer(m.folder, next.Layers); err != nil {
			return err
		}
		top := next.Layers[0]
		root, err := mount.Overlay(mount.Layers{
			Name: top, Lower: next.lower(m.folder), Upper: m.folder.upper(top), Work: m.folder.work(top),
		})
		if err != nil {
			return err
		}
		defer func() { _ = root.Close() }()
		commit, err := next.draft(m.folder)
		if err == nil {
			err = onOwnThread(func() error { return m.pivot(root) })
		}
		if err == nil {
			err = commit()
		}
		if err != nil || !squashed {
			return err
		}
		return next.sweep(m.folder)
	})
}

// pivot makes root the root of the machine's mount namespace, which the calling
// thread enters for good, with all that is mounted in the old one.
func (m *layered) pivot(root *os.File) error {
	init := m.record.init().PID
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", init))
	if err != nil {
		return fmt.Errorf("enter the machine: %w", err)
	}
	defer func() { _ = namespace.Close() }()
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("enter the machine: %w", err)
	}
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter the machine: %w", err)
	}
	old := m.mounts.root()
	if err := mount.AttachAt(root, "/"); err != nil {
		return err
	}
	for _, mounted := range m.mounts {
		if mounted.parent != old.id {
			continue
		}
		if err := carryOver(mounted.point, root); err != nil {
			return err
		}
	}
	if err := unix.Fchdir(int(root.Fd())); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	return nil
}

// carryOver mounts what is mounted at point in the machine's root there too.
func carryOver(point string, root *os.File) error {
	tree, err := mount.Tree(point)
	if err != nil {
		return err
	}
	defer func() { _ = tree.Close() }()
	target, err := beneath.Open(int(root.Fd()), point)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(target) }()
	return mount.Attach(tree, target)
}

// mounted is a line of mountinfo; see proc(5).
type mounted struct {
	id, parent    int
	point, source string
}

type mountTable []mounted

func mountsOf(pid int) (mountTable, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return nil, fmt.Errorf("list the machine's mounts: %w", err)
	}
	var table mountTable
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(rest) < 2 {
			continue
		}
		var m mounted
		if m.id, err = strconv.Atoi(fields[0]); err != nil {
			return nil, fmt.Errorf("list the machine's mounts: %w", err)
		}
		if m.parent, err = strconv.Atoi(fields[1]); err != nil {
			return nil, fmt.Errorf("list the machine's mounts: %w", err)
		}
		m.point, m.source = unescaped.Replace(fields[4]), rest[1]
		table = append(table, m)
	}
	return table, nil
}

// unescaped undoes what mountinfo does to names.
var unescaped = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// root is the mount that is the machine's root: the uppermost at /.
func (t mountTable) root() mounted {
	for _, m := range slices.Backward(t) {
		if m.point == "/" {
			return m
		}
	}
	return mounted{}
}

// settle brings a record into step with its running machine, after somebody died
// who had put a layer in place that the record does not tell of yet.
func (m *layered) settle(next *record) error {
	if m.record.init().Gone() {
		return nil
	}
	var err error
	if m.mounts, err = mountsOf(m.record.init().PID); err != nil {
		return err
	}
	if live := m.mounts.root().source; !slices.Contains(next.Layers, live) {
		next.addLayer()
		if next.Layers[0] != live {
			return fmt.Errorf("the machine writes to layer %s, which is none of its own", live)
		}
	}
	return nil
}

// quiet reports whether no process of the frozen machine holds files of its root
// in a way that another root would change: as working directory, as a folder, to
// be written, or as writable memory.
func (m *layered) quiet() (bool, error) {
	init := m.record.init().PID
	var root unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/root/.", init), &root); err != nil {
		return false, fmt.Errorf("look at the machine's root: %w", err)
	}
	file, _, _, _, _ := m.cgroup.freezerFile()
	pids, err := cgroups.GetPids(filepath.Dir(file))
	if err != nil {
		return false, fmt.Errorf("list the machine's processes: %w", err)
	}
	for _, pid := range pids {
		if quiet, err := quietProcess(pid, m.mounts.root().id, root); err != nil || !quiet {
			return false, err
		}
	}
	return true, nil
}

func quietProcess(pid, rootMount int, root unix.Stat_t) (bool, error) {
	for _, place := range []string{"cwd", "root"} {
		var stat unix.Stat_t
		err := unix.Stat(fmt.Sprintf("/proc/%d/%s/.", pid, place), &stat)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			return true, nil // it has ended, and waits to be reaped
		}
		if err != nil {
			return false, fmt.Errorf("look at a process of the machine: %w", err)
		}
		if stat.Dev != root.Dev || stat.Ino != root.Ino {
			return false, nil
		}
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return false, fmt.Errorf("look at a process of the machine: %w", err)
	}
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if len(fields) > 5 && strings.HasPrefix(fields[1][1:], "w") && strings.HasSuffix(fields[1], "s") && fields[5][0] == '/' {
			return false, nil
		}
	}
	return quietFiles(pid, rootMount)
}

func quietFiles(pid, rootMount int) (bool, error) {
	folder := fmt.Sprintf("/proc/%d/fdinfo", pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return false, fmt.Errorf("look at a process of the machine: %w", err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("look at a process of the machine: %w", err)
		}
		if holds(string(text), rootMount) {
			return false, nil
		}
	}
	return true, nil
}

// holds reports whether a descriptor is of the mount, and more than a file to be
// read: that keeps its content whatever becomes of its name.
func holds(fdinfo string, rootMount int) bool {
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
	return id == rootMount && (flags&unix.O_ACCMODE != unix.O_RDONLY || flags&(unix.O_DIRECTORY|unix.O_PATH) != 0)
}

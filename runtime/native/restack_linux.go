package native

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

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
		squashed, err := next.freezeTop(m.folder, name, true)
		if err != nil {
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

package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/native/internal/beneath"
	"github.com/itechsmart/vm/runtime/native/internal/mount"
)

// devices that every program may expect; they hold nothing of the host's.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// deviceMounts make up /dev.
func deviceMounts(plan Plan) ([]piece, error) {
	const quiet = mount.NoSUID | mount.NoExec
	dev, err := mount.New("tmpfs", quiet, mount.Option{Key: "mode", Value: "755"}, mount.Option{Key: "size", Value: "64k"})
	if err != nil {
		return nil, err
	}
	pts, err := mount.New("devpts", quiet,
		mount.Option{Key: "mode", Value: "620"}, mount.Option{Key: "ptmxmode", Value: "666"})
	if err != nil {
		return nil, err
	}
	shm, err := mount.New("tmpfs", quiet|mount.NoDev,
		mount.Option{Key: "mode", Value: "1777"}, mount.Option{Key: "size", Value: strconv.FormatInt(plan.ShmBytes, 10)})
	if err != nil {
		return nil, err
	}
	pieces := []piece{{"/dev", dev}, {"/dev/pts", pts}, {"/dev/shm", shm}}
	for _, name := range devices {
		node, err := mount.Tree("/dev/" + name)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, piece{"/dev/" + name, node})
	}
	return pieces, nil
}

// finishDevices adds the links that belong to /dev and closes it for good.
func finishDevices(root int) error {
	dev, err := beneath.Open(root, "/dev")
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(dev) }()
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	} {
		if err := unix.Symlinkat(target, dev, name); err != nil {
			return fmt.Errorf("link /dev/%s: %w", name, err)
		}
	}
	err = unix.MountSetattr(dev, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: mount.ReadOnly})
	if err != nil {
		return fmt.Errorf("make /dev read-only: %w", err)
	}
	return nil
}

// What of /proc tells about the host, or reaches it. The kernel refuses most of
// it to a mapped user anyway; the list is that of other container runtimes.
var (
	procHidden = []string{
		"acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats",
	}
	procReadOnly = []string{"bus", "fs", "irq", "sys", "sysrq-trigger"}
)

// procMounts make up /proc: the machine's own processes, with what is the host's
// covered.
func procMounts() ([]piece, error) {
	proc, err := mount.New("proc", mount.NoSUID|mount.NoDev|mount.NoExec)
	if errors.Is(err, unix.EPERM) {
		return nil, fmt.Errorf("%w: this process sees only a covered /proc itself, as inside a container", err)
	}
	if err != nil {
		return nil, err
	}
	pieces := []piece{{"/proc", proc}}
	for _, name := range procHidden {
		cover, err := coverOf("/proc/" + name)
		if err != nil {
			return nil, err
		}
		if cover != nil {
			pieces = append(pieces, piece{"/proc/" + name, cover})
		}
	}
	return pieces, nil
}

// coverOf returns what hides path: nothing to be read in place of a file, an
// empty folder in place of a folder, nil when there is no such path.
func coverOf(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return mount.New("tmpfs", mount.ReadOnly|mount.NoSUID|mount.NoDev|mount.NoExec, mount.Option{Key: "size", Value: "4k"})
	}
	return mount.Tree("/dev/null")
}

// protectProc makes read-only what of the attached /proc could be written.
func protectProc(root int) error {
	for _, name := range procReadOnly {
		target, err := beneath.Open(root, "/proc/"+name)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err == nil {
			err = coverReadOnly(target)
			_ = unix.Close(target)
		}
		if err != nil {
			return fmt.Errorf("make /proc/%s read-only: %w", name, err)
		}
	}
	return nil
}

// coverReadOnly puts a read-only copy of an attached file or folder on top of it.
func coverReadOnly(target int) error {
	fd, err := unix.OpenTree(target, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return err
	}
	tree := os.NewFile(uintptr(fd), "copy")
	defer func() { _ = tree.Close() }()
	if err := mount.Set(tree, mount.ReadOnly|mount.NoSUID|mount.NoDev|mount.NoExec); err != nil {
		return err
	}
	return mount.Attach(tree, target)
}

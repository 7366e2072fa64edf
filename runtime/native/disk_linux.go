package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/native/internal/mount"
)

const mebibyte = 1 << 20

// A disk is a sparse file with an ext4 file system, as large as the machine's
// limit: the kernel itself refuses what goes beyond it. It has no journal, since
// nothing in it needs to survive a crash of the host.

// makeDisk makes an empty disk with room for size bytes.
//
// An empty file system of a size is always the same and nearly all of it is
// holes, so it is made once and copied.
func makeDisk(ctx context.Context, pristine, path string, mib int, root owner) error {
	template := filepath.Join(pristine, fmt.Sprintf("%d.ext4", mib))
	source, err := os.Open(template)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makePristine(ctx, template, mib, root); err == nil {
			source, err = os.Open(template)
		}
	}
	if err != nil {
		return fmt.Errorf("make a disk: %w", err)
	}
	defer func() { _ = source.Close() }()
	if err := copySparse(source, path); err != nil {
		return fmt.Errorf("make a disk: %w", err)
	}
	return nil
}

// makePristine makes the file system that is copied. Processes that do it at the
// same time each make one; the last stays, and all are alike.
func makePristine(ctx context.Context, path string, mib int, root owner) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".making-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone by its new name if all went well
	defer func() { _ = file.Close() }()
	// Inodes take a 64th of the space (256 bytes for every 16 KiB) and the rest
	// of the overhead is small: the limit is what remains.
	size := int64(mib)*mebibyte + int64(mib)*mebibyte/60 + 2*mebibyte
	if err := file.Truncate(size); err != nil {
		return err
	}
	mkfs, err := findMkfs()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, mkfs, "-q", "-F", "-m", "0", "-b", "4096", "-I", "256", "-i", "16384",
		"-O", "^has_journal,^resize_inode,sparse_super2",
		"-E", fmt.Sprintf("nodiscard,lazy_itable_init=1,packed_meta_blocks=1,root_owner=%d:%d", root.uid, root.gid),
		file.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return os.Rename(file.Name(), path)
}

// findMkfs looks in the system folders too, which the caller's PATH may lack.
func findMkfs() (string, error) {
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		path := filepath.Join(folder, "mkfs.ext4")
		if unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", errors.New("mkfs.ext4 is not installed")
}

// copySparse copies a file to a new one at path, leaving its holes out.
func copySparse(source *os.File, path string) error {
	info, err := source.Stat()
	if err != nil {
		return err
	}
	target, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }()
	if err := target.Truncate(info.Size()); err != nil {
		return err
	}
	for offset := int64(0); ; {
		begin, err := source.Seek(offset, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // nothing but a hole from here on
		}
		if err != nil {
			return err
		}
		end, err := source.Seek(begin, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		part := io.NewSectionReader(source, begin, end-begin)
		if _, err := io.Copy(io.NewOffsetWriter(target, begin), part); err != nil {
			return err
		}
		offset = end
	}
}

// mountDisk mounts the file system in a file, detached. The loop device in
// between, whose name it returns, goes with the last mount of it.
func mountDisk(path string) (disk *os.File, device string, err error) {
	loop, err := attachLoop(path)
	if err != nil {
		return nil, "", fmt.Errorf("attach disk %s: %w", path, err)
	}
	disk, err = mountLoop(loop)
	return disk, loop.Name(), err
}

// mountAttached mounts the file system of a disk that is mounted elsewhere: both
// mounts are of the same one. Likely names the loop device to look at first; the
// right one is returned.
func mountAttached(path, likely string) (disk *os.File, device string, err error) {
	device = likely
	if !backs(path, likely) {
		device, err = loopOf(path)
	}
	if err != nil || device == "" {
		return nil, "", fmt.Errorf("disk %s is not attached: %w", path, err)
	}
	loop, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return nil, "", fmt.Errorf("open disk %s: %w", path, err)
	}
	disk, err = mountLoop(loop)
	return disk, device, err
}

// mountLoop mounts the file system on a loop device, detached, and closes it.
func mountLoop(loop *os.File) (*os.File, error) {
	defer func() { _ = loop.Close() }()
	return mount.New("ext4", mount.NoSUID|mount.NoDev,
		mount.Option{Key: "source", Value: loop.Name()},
		mount.Option{Key: "noinit_itable"}, // tables of a disk that is mostly never used stay unwritten
		mount.Option{Key: "nobarrier"},
	)
}

// attachLoop makes a loop device of the file. It ceases to be one when it is
// neither open nor mounted.
func attachLoop(path string) (*os.File, error) {
	backing, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = backing.Close() }()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = control.Close() }()
	config := unix.LoopConfig{Fd: uint32(backing.Fd())}
	config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	copy(config.Info.File_name[:len(config.Info.File_name)-1], path)
	const attempts = 100
	for range attempts {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, err
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &config)
		if err == nil {
			return loop, nil
		}
		_ = loop.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, err
		}
		// Somebody else was faster with this one: ask for another.
	}
	return nil, unix.EBUSY
}

// awaitDetached waits until no loop device is made of the file. The kernel lets
// one go a moment after its last mount; attaching a second one to the same file
// meanwhile would ruin the file system.
func awaitDetached(ctx context.Context, path string) error {
	const poll = 2 * time.Millisecond
	for {
		device, err := loopOf(path)
		if err != nil || device == "" {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("disk %s is still in use: %w", path, ctx.Err())
		case <-time.After(poll):
		}
	}
}

// blockDevices lists the machine's block devices that are made of something else.
const blockDevices = "/sys/devices/virtual/block"

// loopOf returns the loop device that is made of the file, "" when there is none.
// A host may have hundreds of them.
func loopOf(path string) (string, error) {
	folder, err := os.Open(blockDevices)
	if err != nil {
		return "", err
	}
	defer func() { _ = folder.Close() }()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if device := "/dev/" + name; backs(path, device) {
			return device, nil
		}
	}
	return "", nil
}

// backs reports whether the file is what a loop device is made of.
func backs(path, device string) bool {
	raw, err := os.ReadFile(filepath.Join(blockDevices, filepath.Base(device), "loop/backing_file"))
	return err == nil && string(raw) == path+"\n"
}

package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/tree"
	"github.com/itechsmart/vm/runtime/native/sandbox"
)

// Inspect implements runtime.Driver.
func (d *Driver) Inspect(_ context.Context, ref runtime.Ref) (runtime.Machine, error) {
	f := d.layout.machine(ref)
	r, err := readRecord(ref, f)
	if err != nil {
		return runtime.Machine{}, err
	}
	return r.machine(f), nil
}

// List implements runtime.Driver.
func (d *Driver) List(ctx context.Context, instance string) ([]runtime.Machine, error) {
	refs, err := machinesOf(d.layout, instance)
	if err != nil {
		return nil, err
	}
	var machines []runtime.Machine
	for _, ref := range refs {
		m, err := d.Inspect(ctx, ref)
		if errors.Is(err, runtime.ErrNoMachine) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		machines = append(machines, m)
	}
	return machines, nil
}

// Open implements runtime.Driver.
func (d *Driver) Open(ctx context.Context, ref runtime.Ref) (io.ReadWriteCloser, error) {
	f := d.layout.machine(ref)
	r, err := readRecord(ref, f)
	if err != nil {
		return nil, err
	}
	if r.state() != runtime.Running {
		return nil, fmt.Errorf("%s: %w", ref, runtime.ErrNotRunning)
	}
	var conn net.Conn
	err = throughFolder(f, func(folder string) error {
		var dialer net.Dialer
		conn, err = dialer.DialContext(ctx, "unix", folder+"/agent.sock")
		return err
	})
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil, fmt.Errorf("%s has just ended: %w", ref, runtime.ErrNotRunning)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the guest of %s: %w", ref, err)
	}
	return conn, nil
}

// maxConsole is how much of the end of a console log is looked at.
const maxConsole = 1 << 20

// Logs implements runtime.Driver.
func (d *Driver) Logs(_ context.Context, ref runtime.Ref, tail int) ([]runtime.LogLine, error) {
	f := d.layout.machine(ref)
	if _, err := readRecord(ref, f); err != nil {
		return nil, err
	}
	lines, err := readBootLog(f)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the log of %s: %w", ref, err)
	}
	console, err := readConsole(f)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the log of %s: %w", ref, err)
	}
	lines = append(lines, console...)
	return lines[max(0, len(lines)-tail):], nil
}

// readConsole returns the end of what the guest printed. It prints without
// times: all lines bear that of the last.
func readConsole(f folder) ([]runtime.LogLine, error) {
	file, err := os.Open(f.console())
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	begin := max(0, info.Size()-maxConsole)
	raw, err := io.ReadAll(io.NewSectionReader(file, begin, maxConsole))
	if err != nil {
		return nil, err
	}
	var lines []runtime.LogLine
	for line := range bytes.Lines(raw) {
		text := string(bytes.ToValidUTF8(bytes.TrimRight(line, "\n"), []byte("\uFFFD")))
		lines = append(lines, runtime.LogLine{Time: info.ModTime().UTC(), Stream: "console", Text: text})
	}
	return lines, nil
}

// DiskUsage implements runtime.Driver.
func (d *Driver) DiskUsage(ctx context.Context, ref runtime.Ref) (int64, error) {
	f := d.layout.machine(ref)
	r, err := readRecord(ref, f)
	if err != nil {
		return 0, err
	}
	if r.Disk {
		return diskUsage(f, r)
	}
	return d.measure(ctx, f.layers())
}

// measure returns the bytes that a machine's files take up.
func (d *Driver) measure(ctx context.Context, path string) (int64, error) {
	if d.foreignFiles() {
		return d.errand(ctx, sandbox.Plan{Measure: path})
	}
	return tree.Size(path)
}

// diskUsage is what a disk holds. A running machine's file system says it; of a
// stopped one counts what its file takes up, which never shrinks.
func diskUsage(f folder, r record) (int64, error) {
	if r.state() == runtime.Running {
		var stat unix.Statfs_t
		root := filepath.Join("/proc", fmt.Sprint(r.init().PID), "root")
		if err := unix.Statfs(root, &stat); err == nil && !r.init().Gone() {
			return int64(stat.Blocks-stat.Bfree) * stat.Bsize, nil
		}
	}
	var stat unix.Stat_t
	if err := unix.Stat(f.disk(), &stat); err != nil {
		return 0, fmt.Errorf("measure the disk of %s: %w", r.Spec.Ref, err)
	}
	return stat.Blocks * 512, nil
}

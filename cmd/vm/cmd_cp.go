package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/archive"
)

func cpCommand(t *terminal) *cobra.Command {
	var limit mebibytesFlag
	cmd := &cobra.Command{
		Use:     "cp <vm>:<path> <path> | <path> <vm>:<path>",
		GroupID: groupVM,
		Short:   "Copy files and folders into a VM, or out of it",
		Long: `Copy a file, or a folder with all that is in it, into a VM or out of it. As with
cp -r, what is copied goes into the target when that is a folder, and else takes
its place; a source that ends in /. is merged into the target. In a VM, paths
are relative to the home of the VM's user, whose rights count. A path of this
machine with a colon is written with ./ in front.

Files are copied with their permission bits. Pipes, devices, and links that lead
out of the folder copied are left out, and counted.`,
		Example: `  vm cp data.csv web:
  vm cp ./src web:project
  vm cp web:project/report.html .`,
		Args: takes(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to := parsePlace(args[0]), parsePlace(args[1])
			switch {
			case from.inVM() == to.inVM():
				return usage("usage: "+cmd.UseLine(), "one of %q and %q must be in a VM, as in web:notes.txt, and one on this machine", args[0], args[1])
			case from.inVM():
				return copyOut(cmd.Context(), t, from, to.path, limit.value)
			}
			return copyIn(cmd.Context(), t, from.path, to)
		},
	}
	cmd.Flags().Var(&limit, "limit", "refuse more than this `SIZE` from a VM (default: four times its disk limit)")
	return cmd
}

// place is a path of this machine, or in a VM.
type place struct {
	vm   handlers.ID
	path string
}

func (p place) inVM() bool { return p.vm != handlers.ID{} }

// parsePlace splits VM:PATH; a slash before the colon makes it a path, and so do
// the drive letters of Windows.
func parsePlace(arg string) place {
	vm, at, ok := strings.Cut(arg, ":")
	if !ok || vm == "" || strings.ContainsAny(vm, `/\`) || filepath.VolumeName(arg) != "" {
		return place{path: arg}
	}
	if at == "" {
		at = "."
	}
	return place{handlers.ParseID(vm), at}
}

// copied is what --json says of a copy.
type copied struct {
	Bytes   int64    `json:"bytes"` // of the files and what describes them
	Skipped int      `json:"skipped"`
	Names   []string `json:"names,omitempty"` // of the first that were skipped
}

func copyOut(ctx context.Context, t *terminal, from place, to string, most *int) error {
	scope, vm, err := t.openVM(ctx, from.vm)
	if err != nil {
		return err
	}
	limit := 4 * int64(vm.DiskLimit) << 20
	if most != nil {
		limit = int64(*most) << 20
	}
	folder, name, err := archive.Place(to, nameInFolder(from.path, path.Base(path.Clean(from.path))))
	if err != nil {
		return err
	}
	defer folder.Close()
	reader, writer := io.Pipe()
	meter := t.meter("Copying from "+vm.Name, 0)
	sent := make(chan error, 1)
	go func() {
		err := scope.CopyOut(ctx, vm, from.path, writer)
		writer.CloseWithError(err)
		sent <- err
	}()
	var skipped agent.Skipped
	err = archive.Unpack(folder, name, meter.reader(reader), limit, skipped.Add)
	reader.CloseWithError(err) // ends the copy, if it is not over
	if sentErr := <-sent; sentErr != nil && !errors.Is(sentErr, io.ErrClosedPipe) && !errors.Is(err, archive.ErrLimit) {
		err = sentErr
	}
	if errors.Is(err, archive.ErrLimit) {
		err = usage("--limit allows more", "there is more than %s; holes in files count", show.Bytes(limit))
	}
	return meter.end(skipped, err)
}

func copyIn(ctx context.Context, t *terminal, from string, to place) error {
	size, err := sizeOf(from)
	if err != nil {
		return err
	}
	whole, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	scope, vm, err := t.openVM(ctx, to.vm)
	if err != nil {
		return err
	}
	meter := t.meter("Copying to "+vm.Name, size)
	reader, writer := io.Pipe()
	packed := make(chan struct{})
	go func() {
		defer close(packed)
		writer.CloseWithError(archive.Pack(writer, from))
	}()
	skipped, err := scope.CopyIn(ctx, vm, nameInFolder(from, filepath.Base(whole)), to.path, meter.reader(reader))
	reader.CloseWithError(io.ErrClosedPipe) // ends the packing, if it is not over
	<-packed
	return meter.end(skipped, err)
}

// nameInFolder is the name that a source has in a folder; "." merges it into that.
func nameInFolder(source, base string) string {
	source = filepath.ToSlash(source)
	if source == "." || strings.HasSuffix(source, "/.") || base == "/" || base == "." || base == ".." {
		return "."
	}
	return base
}

// sizeOf is how much there is to be copied, about.
func sizeOf(from string) (int64, error) {
	var size int64
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return 0, err
	}
	err = filepath.WalkDir(from, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size, err
}

// openVM finds a VM in the pool of this process.
func (t *terminal) openVM(ctx context.Context, id handlers.ID) (handlers.Scope, db.VirtualMachine, error) {
	scope, err := t.open(ctx)
	if err != nil {
		return scope, db.VirtualMachine{}, err
	}
	vm, err := scope.Get(ctx, id.Number, id.Name)
	return scope, vm, err
}

// meter shows how far a copy is.
type meter struct {
	t     *terminal
	size  int64 // 0 = unknown
	began time.Time
	done  int64
	from  io.Reader
}

func (t *terminal) meter(title string, size int64) *meter {
	t.status.begin(title)
	return &meter{t: t, size: size, began: time.Now()}
}

func (m *meter) reader(r io.Reader) io.Reader {
	m.from = r
	return m
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	m.done += int64(n)
	var percent *float64
	if m.size > 0 {
		part := min(100, 100*float64(m.done)/float64(m.size))
		percent = &part
	}
	m.t.status.step(show.Bytes(m.done), percent)
	return n, err
}

// end tells what was copied, or returns why it was not.
func (m *meter) end(skipped agent.Skipped, err error) error {
	m.t.status.end()
	var local *fs.PathError
	if errors.As(err, &local) {
		return fmt.Errorf("%s: %w", local.Path, local.Err)
	}
	if err != nil {
		return err
	}
	if m.t.json {
		return writeJSON(m.t.stdout, copied{m.done, skipped.Count, skipped.Names})
	}
	if skipped.Count > 0 {
		m.t.say("Left out: %s (%s)", show.Count(skipped.Count, "file", "files"), show.Short(show.Line(strings.Join(skipped.Names, ", ")), 200))
	}
	if isTerminal(m.t.stderr) {
		m.t.say("Copied %s in %s.", show.Bytes(m.done), show.Span(time.Since(m.began)))
	}
	return nil
}

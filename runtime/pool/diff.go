package pool

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"slices"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/lang"
)

// Bounds of a diff: of whatever a run has done, the answer is one that can be
// sent and read, and takes bounded memory.
const (
	// MaxDiffFiles is how many paths a diff tells at most.
	MaxDiffFiles = 5000
	// MaxPatchFile is the largest file, in bytes, of which a diff shows the lines.
	MaxPatchFile = 256 << 10
	// maxPatches bounds all patches of a diff together, in bytes.
	maxPatches = 4 << 20
	// maxPatchReading bounds what is read for patches, in bytes.
	maxPatchReading = 64 << 20
)

// Changes of a path.
const (
	ChangeCreated  = "created"
	ChangeModified = "modified"
	ChangeDeleted  = "deleted"
)

// Reasons for a file whose content differs to be without a patch.
const (
	NoPatchBinary   = "binary"   // it is no text
	NoPatchLarge    = "large"    // it has more than MaxPatchFile bytes
	NoPatchLimit    = "limit"    // there are enough patches already
	NoPatchVanished = "vanished" // it was changed once more meanwhile, or cannot be read
)

// FileDiff is a path at which two states of a VM's files differ.
type FileDiff struct {
	Path          string // absolute, in the VM
	Change        string
	Before, After *runtime.FileState // nil where there is nothing
	// Patch shows what differs as git does: type and permissions, text line by
	// line, links. Empty for folders, of renamed files for the old name, and where
	// NoPatch says why.
	Patch   string
	NoPatch string
	// RenamedFrom and RenamedTo pair a created file with a deleted one of the same
	// content.
	RenamedFrom, RenamedTo string
}

// Diff of two states of a VM's files.
type Diff struct {
	From  db.Snapshot
	To    db.Snapshot // zero = the files as they are now
	Files []FileDiff  // folders before what is in them
	More  bool        // there are more than MaxDiffFiles
}

// Diff tells what has changed from a snapshot of a VM to another one, or, without
// that, until now. Without from it is what Undo would take back, or what has
// changed since the snapshot before to.
func (t *Tenant) Diff(ctx context.Context, vm db.VirtualMachine, from, to *db.Snapshot) (Diff, error) {
	vm, err := t.afterSnapshot(ctx, vm)
	if err != nil {
		return Diff{}, err
	}
	driver, _, err := t.snapshots(ctx, vm)
	if err != nil {
		return Diff{}, err
	}
	differ, is := driver.(runtime.Differ)
	if !is {
		return Diff{}, &Error{Kind: ErrUnavailable, Message: "the runtime " + vm.Runtime + " cannot compare snapshots"}
	}
	if from == nil {
		s, err := t.startOfDiff(ctx, vm, to)
		if err != nil {
			return Diff{}, err
		}
		from = &s
	}
	d := differing{diff: Diff{From: *from}, deleted: map[[sha256.Size]byte]int{}, created: map[[sha256.Size]byte]int{}}
	if to != nil {
		d.diff.To = *to
	}
	compare := func() error { return differ.Diff(ctx, t.ref(vm), from.Reference, d.diff.To.Reference, d.add) }
	if vm.Status == db.Running {
		err = compare() // beside whatever else is done with it
	} else {
		err = t.whileHeld(ctx, vm, compare)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return Diff{}, notCompared(ctx, vm, err)
	}
	d.pairRenamed()
	return d.diff, nil
}

// whileHeld calls do while nobody starts the VM, which is stopped.
func (t *Tenant) whileHeld(ctx context.Context, vm db.VirtualMachine, do func() error) error {
	vm, driver, err := t.claimSnapshotter(ctx, vm, db.Snapshotting)
	if err != nil {
		return err
	}
	err = do()
	_, settleErr := t.settleAsBefore(context.WithoutCancel(ctx), vm, driver)
	return errors.Join(err, settleErr)
}

func notCompared(ctx context.Context, vm db.VirtualMachine, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, runtime.ErrNotRunning):
		return &Error{Kind: ErrState, Message: "VM " + vm.Name + " does not run, and its runtime can only look at the files of one that does",
			Hint: "vm start " + vm.Name + ", or name two snapshots", Cause: err}
	}
	return driven(err)
}

// startOfDiff is the snapshot that a diff begins with that names none.
func (t *Tenant) startOfDiff(ctx context.Context, vm db.VirtualMachine, to *db.Snapshot) (db.Snapshot, error) {
	list, err := t.Snapshots(ctx, vm.ID)
	if err != nil {
		return db.Snapshot{}, err
	}
	if to != nil {
		if i := slices.IndexFunc(list, func(s db.Snapshot) bool { return s.ID == to.ID }); i > 0 {
			return list[i-1], nil
		}
		e := invalid("from", "there is no snapshot before %s", quote(to.Name))
		e.Hint = "name the snapshot that it is to be compared with"
		return db.Snapshot{}, e
	}
	return t.lastCheckpoint(ctx, vm, list)
}

// lastCheckpoint is the one of these snapshots that undoes the newest execution
// that is not undone and has such a one.
func (t *Tenant) lastCheckpoint(ctx context.Context, vm db.VirtualMachine, list []db.Snapshot) (db.Snapshot, error) {
	const page = 50
	for before := int64(0); len(list) > 0; {
		executions, err := t.store.Executions(ctx, t.user.ID, vm.ID, before, page)
		if err != nil {
			return db.Snapshot{}, stored(err)
		}
		for _, e := range executions {
			i := slices.IndexFunc(list, func(s db.Snapshot) bool { return s.ID == e.Checkpoint })
			if i >= 0 && !e.Undone {
				return list[i], nil
			}
			before = e.ID
		}
		if len(executions) < page {
			break
		}
	}
	return db.Snapshot{}, &Error{Kind: ErrState, Message: "there is no checkpoint of VM " + vm.Name + " to compare its files with",
		Hint: "vm diff " + vm.Name + " SNAPSHOT compares with any snapshot; vm execute --checkpoint takes one first"}
}

var errEnough = errors.New("more than a diff tells")

// differing gathers a diff.
type differing struct {
	diff    Diff
	patches int // bytes of all patches so far
	read    int // bytes read for them
	// created and deleted are files, by what they hold; -1 where several do.
	created, deleted map[[sha256.Size]byte]int
}

// add takes a change from a driver. What the pool itself places for executions and
// sessions is none of the VM's.
func (d *differing) add(c runtime.FileChange) error {
	if lang.Scratch(c.Path) {
		return nil
	}
	if len(d.diff.Files) == MaxDiffFiles {
		d.diff.More = true
		return errEnough
	}
	f := FileDiff{Path: c.Path, Change: ChangeModified, Before: c.Before, After: c.After}
	switch {
	case c.Before == nil:
		f.Change = ChangeCreated
	case c.After == nil:
		f.Change = ChangeDeleted
	}
	f.Patch, f.NoPatch = d.patch(c)
	d.patches += len(f.Patch)
	d.diff.Files = append(d.diff.Files, f)
	return nil
}

// patch makes the patch of a change, or says why there is none.
func (d *differing) patch(c runtime.FileChange) (patch, why string) {
	p := patching{path: c.Path, before: side{state: c.Before}, after: side{state: c.After}}
	if c.Before == nil || c.After == nil || c.Content || c.Before.Mode.Type() != c.After.Mode.Type() || c.Before.Target != c.After.Target {
		why = cmp.Or(d.load(&p.before), d.load(&p.after))
	}
	d.remember(c, p)
	if why == "" {
		patch = p.text()
	}
	if d.patches+len(patch) > maxPatches {
		return "", NoPatchLimit
	}
	return patch, why
}

// load reads what one side of a patch shows, or says why it cannot be shown.
func (d *differing) load(s *side) (why string) {
	switch {
	case s.state == nil:
		return ""
	case s.state.Mode.Type() == fs.ModeSymlink:
		s.content = []byte(s.state.Target)
		return textual(s.content)
	case !s.state.Mode.IsRegular():
		return ""
	case s.state.Size > MaxPatchFile:
		return NoPatchLarge
	case d.patches >= maxPatches || d.read >= maxPatchReading:
		return NoPatchLimit
	}
	data, err := s.state.Read(MaxPatchFile)
	if err != nil {
		return NoPatchVanished
	}
	d.read += len(data)
	s.content = data
	return textual(data)
}

// remember notes what a file held that has come or gone.
func (d *differing) remember(c runtime.FileChange, p patching) {
	index := len(d.diff.Files)
	note := func(where map[[sha256.Size]byte]int, s side) {
		if len(s.content) == 0 || !s.state.Mode.IsRegular() {
			return
		}
		sum := sha256.Sum256(s.content)
		if _, several := where[sum]; several {
			index = -1
		}
		where[sum] = index
	}
	switch {
	case c.Before == nil:
		note(d.created, p.after)
	case c.After == nil:
		note(d.deleted, p.before)
	}
}

// pairRenamed finds files that have only got another name.
func (d *differing) pairRenamed() {
	for sum, created := range d.created {
		deleted, gone := d.deleted[sum]
		if !gone || deleted < 0 || created < 0 {
			continue
		}
		from, to := &d.diff.Files[deleted], &d.diff.Files[created]
		from.RenamedTo, to.RenamedFrom = to.Path, from.Path
		from.Patch, from.NoPatch = "", ""
		to.Patch, to.NoPatch = renamed(*from, *to), ""
	}
}

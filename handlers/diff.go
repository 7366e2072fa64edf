package handlers

import (
	"context"
	"io/fs"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/pool"
)

// DiffParams name two states of a VM's files.
type DiffParams struct {
	ID   ID  `json:"id" required:"true" doc:"the VM's id or name"`
	From *ID `json:"from,omitempty" doc:"a snapshot's id or name; default: what vm/undo would put back, or, with to, the snapshot before that"`
	To   *ID `json:"to,omitempty" doc:"a snapshot's id or name; default: the files as they are now"`
	Tokens
}

// DiffResult tells what differs. Times alone are no difference.
type DiffResult struct {
	From  int64      `json:"from" doc:"the snapshot's id"`
	To    int64      `json:"to,omitzero" doc:"the snapshot's id; absent for the files as they are now"`
	Files []FileDiff `json:"files" doc:"folders before what is in them"`
	More  bool       `json:"more" doc:"there are more than the 5000 that are told"`
}

// FileDiff is a path at which two states differ.
type FileDiff struct {
	Path        string `json:"path" doc:"absolute, in the VM"`
	Change      string `json:"change" enum:"created,modified,deleted"`
	Type        string `json:"type" enum:"file,folder,link,other" doc:"what is there now, or was there"`
	SizeBytes   int64  `json:"sizeBytes" doc:"of a file, now, or as it was when it is deleted"`
	Mode        uint32 `json:"mode" doc:"permission bits, as a decimal number, now, or as they were"`
	Patch       string `json:"patch,omitempty" doc:"as git diff writes it: type and permissions, text line by line, links; nothing for folders"`
	NoPatch     string `json:"noPatch,omitempty" enum:"binary,large,limit,vanished" doc:"why a file whose content differs has no patch: it is no text, has more than 256 KiB, there are 4 MiB of patches already, or it has changed again"`
	RenamedFrom string `json:"renamedFrom,omitempty" doc:"of a created file: the deleted one that held the same"`
	RenamedTo   string `json:"renamedTo,omitempty" doc:"of a deleted file: the created one that holds the same, with the patch"`
}

func diff(ctx context.Context, s Scope, p DiffParams) (DiffResult, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return DiffResult{}, err
	}
	from, err := s.snapshotOf(ctx, vm, p.From)
	if err != nil {
		return DiffResult{}, err
	}
	to, err := s.snapshotOf(ctx, vm, p.To)
	if err != nil {
		return DiffResult{}, err
	}
	_, end := s.progress(ctx, p.Tokens, "Comparing the files of VM "+vm.Name)
	d, err := s.Diff(ctx, vm, from, to)
	end(err)
	return DiffResult{From: d.From.ID, To: d.To.ID, Files: encodeAll(d.Files, encodeFileDiff), More: d.More}, err
}

// snapshotOf finds a VM's snapshot that may be left out.
func (s Scope) snapshotOf(ctx context.Context, vm db.VirtualMachine, id *ID) (*db.Snapshot, error) {
	if id == nil {
		return nil, nil
	}
	row, err := s.FindSnapshot(ctx, vm, id.Number, id.Name)
	return &row, err
}

func encodeFileDiff(f pool.FileDiff) FileDiff {
	state := f.After
	if state == nil {
		state = f.Before
	}
	return FileDiff{
		Path: f.Path, Change: f.Change, Type: typeOf(state.Mode), SizeBytes: state.Size, Mode: uint32(state.Mode.Perm()),
		Patch: f.Patch, NoPatch: f.NoPatch, RenamedFrom: f.RenamedFrom, RenamedTo: f.RenamedTo,
	}
}

// typeOf names the type of a file as vm/listFiles does.
func typeOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "file"
	case fs.ModeDir:
		return "folder"
	case fs.ModeSymlink:
		return "link"
	}
	return "other"
}

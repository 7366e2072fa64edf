package handlers

import (
	"context"
	"strings"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/pool"
)

// Snapshot of a VM's files.
type Snapshot struct {
	ID        int64     `json:"id"`
	VMID      int64     `json:"vmId"`
	Name      string    `json:"name" doc:"unique in its VM"`
	Comment   string    `json:"comment,omitempty"`
	Kind      string    `json:"kind" enum:"manual,auto" doc:"auto: taken before an execution"`
	Parent    int64     `json:"parent,omitzero" doc:"the snapshot that the VM's files came from before; absent when it was none"`
	SizeBytes int64     `json:"sizeBytes" doc:"what it takes up beside earlier ones"`
	CreatedAt time.Time `json:"createdAt"`
}

// SnapshotParams name a VM of which a snapshot is to be taken.
type SnapshotParams struct {
	ID      ID     `json:"id" required:"true" doc:"the VM's id or name"`
	Name    string `json:"name,omitempty" doc:"unique in the VM, and not a number; default: manual-ID"`
	Comment string `json:"comment,omitempty"`
	Tokens
}

// SnapshotsParams select snapshots.
type SnapshotsParams struct {
	ID *ID `json:"id,omitempty" doc:"the VM; default: all"`
	Tokens
}

// SnapshotsResult holds snapshots, oldest first.
type SnapshotsResult struct {
	Snapshots []Snapshot `json:"snapshots"`
}

// OneSnapshotParams name a snapshot of a VM.
type OneSnapshotParams struct {
	ID       ID `json:"id" required:"true" doc:"the VM's id or name"`
	Snapshot ID `json:"snapshot" required:"true" doc:"the snapshot's id or name"`
	Tokens
}

func snapshot(ctx context.Context, s Scope, p SnapshotParams) (Snapshot, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return Snapshot{}, err
	}
	progress, end := s.progress(ctx, p.Tokens, "Taking a snapshot of VM "+vm.Name)
	row, err := s.Snapshot(ctx, vm, p.Name, p.Comment, progress)
	end(err)
	return encodeSnapshot(row), err
}

func snapshots(ctx context.Context, s Scope, p SnapshotsParams) (SnapshotsResult, error) {
	id, err := s.optional(ctx, p.ID)
	if err != nil {
		return SnapshotsResult{}, err
	}
	rows, err := s.Snapshots(ctx, id)
	return SnapshotsResult{encodeAll(rows, encodeSnapshot)}, err
}

func restore(ctx context.Context, s Scope, p OneSnapshotParams) (VM, error) {
	return s.change(ctx, p.ID, p.Tokens, "Restoring", func(ctx context.Context, vm db.VirtualMachine) (db.VirtualMachine, error) {
		row, err := s.FindSnapshot(ctx, vm, p.Snapshot.Number, p.Snapshot.Name)
		if err != nil {
			return vm, err
		}
		return s.Restore(ctx, vm, row)
	})
}

func deleteSnapshot(ctx context.Context, s Scope, p OneSnapshotParams) (Empty, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return Empty{}, err
	}
	row, err := s.FindSnapshot(ctx, vm, p.Snapshot.Number, p.Snapshot.Name)
	if err != nil {
		return Empty{}, err
	}
	_, end := s.progress(ctx, p.Tokens, "Deleting snapshot "+row.Name)
	err = s.DeleteSnapshot(ctx, vm, row)
	end(err)
	return Empty{}, err
}

func undo(ctx context.Context, s Scope, p IDParams) (VM, error) {
	return s.change(ctx, p.ID, p.Tokens, "Putting back", s.Undo)
}

// origin finds the snapshot that a VM is to be made from: by its id, or as
// VM/SNAPSHOT.
func (s Scope) origin(ctx context.Context, id *ID) (*pool.Origin, error) {
	if id == nil {
		return nil, nil
	}
	if id.Number != 0 {
		vm, row, err := s.SnapshotByID(ctx, id.Number)
		return &pool.Origin{VM: vm, Snapshot: row}, err
	}
	vmName, name, both := strings.Cut(id.Name, "/")
	if !both {
		return nil, badParams("snapshot", "a snapshot is named by its id, or as VM/SNAPSHOT")
	}
	vm, err := s.get(ctx, ParseID(vmName))
	if err != nil {
		return nil, err
	}
	one := ParseID(name)
	row, err := s.FindSnapshot(ctx, vm, one.Number, one.Name)
	return &pool.Origin{VM: vm, Snapshot: row}, err
}

func encodeSnapshot(s db.Snapshot) Snapshot {
	return Snapshot{
		ID: s.ID, VMID: s.VMID, Name: s.Name, Comment: s.Comment, Kind: s.Kind, Parent: s.Parent,
		SizeBytes: s.SizeBytes, CreatedAt: s.CreatedAt.UTC(),
	}
}

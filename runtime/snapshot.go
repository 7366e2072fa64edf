package runtime

import (
	"context"
	"errors"
	"regexp"
)

// ErrNoSnapshot: the machine has no snapshot of that name.
var ErrNoSnapshot = errors.New("no such snapshot")

// ErrSlow: a snapshot that was to be taken only at once cannot be: the files of
// the machine would have to be copied, and there are more than can be in no time.
var ErrSlow = errors.New("a snapshot would take time")

// SnapshotCost says what taking a snapshot costs.
type SnapshotCost string

// Costs; empty = the driver is no Snapshotter here.
const (
	// SnapshotInstant: milliseconds whatever the machine has written, while no
	// program holds its files. Else, what was written since the last snapshot that
	// was taken so is copied.
	SnapshotInstant SnapshotCost = "instant"
	// SnapshotCopied: a time that grows with what the machine has written.
	SnapshotCopied SnapshotCost = "copied"
)

// Snapshotter is what a Driver also is whose Features name a SnapshotCost. A
// snapshot holds the files of a machine: content, owners, modes, links, and times
// at least to the second. It belongs to its machine, goes with it, and is there whole or not at all:
// who died in the middle has left nothing that a snapshot's name finds.
//
// Names are the caller's, see ValidSnapshotName. Calls for one machine are
// serialised by the caller, as those of Driver; CreateFrom counts for the
// machine that it makes, and may run beside anything that is done to the other.
type Snapshotter interface {
	// Snapshot keeps the machine's files as they are under a new name and
	// returns the bytes that this takes up beside what earlier snapshots do. A
	// running machine goes on afterwards; it stands still while that is needed
	// for one consistent moment. With atOnce it fails with ErrSlow rather than
	// copy more files than milliseconds allow.
	Snapshot(ctx context.Context, ref Ref, name string, atOnce bool, progress Progress) (size int64, err error)

	// Restore gives the machine the files of a snapshot, and starts it; all that
	// runs in it ends. It fails with ErrNoSnapshot. Other snapshots stay, also
	// later ones. When it fails with another error, the machine has either its
	// old files or the snapshot's, and may be stopped.
	Restore(ctx context.Context, ref Ref, name string) (Machine, error)

	// DeleteSnapshot frees what a snapshot alone takes up. Others stay whole,
	// those that came after it included. It may be repeated: a snapshot, or a
	// machine, that is not there is no error.
	DeleteSnapshot(ctx context.Context, ref Ref, name string) error

	// Snapshots returns the names of a machine's snapshots, in no order.
	Snapshots(ctx context.Context, ref Ref) ([]string, error)

	// Unchanged reports whether a running machine has the very files of a snapshot
	// still, times of the folder that holds executions' scratch folders aside. It
	// takes a millisecond: where finding out would take longer, where the machine
	// is stopped or has no such snapshot, it reports false. It may run beside
	// programs; then true means that it was so at one moment during the call.
	Unchanged(ctx context.Context, ref Ref, name string) (bool, error)

	// CreateFrom is Driver.Create with the files of another machine's snapshot
	// instead of an image's. The new machine does not depend on the other one.
	CreateFrom(ctx context.Context, spec Spec, from Ref, name string, progress Progress) (Machine, error)

	// Mend brings a machine whose Snapshot or Restore was interrupted into the
	// state before or after it. It does nothing to others.
	Mend(ctx context.Context, ref Ref) error
}

var snapshotName = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// ValidSnapshotName reports whether a driver takes the name: lower-case letters
// and digits, 1 to 32 of them.
func ValidSnapshotName(name string) bool { return snapshotName.MatchString(name) }

package runtime

import (
	"context"
	"io/fs"
)

// Differ is what a Snapshotter also is that can tell its snapshots apart.
type Differ interface {
	// Diff calls visit for every path at which two states of a machine's files
	// differ, folders before what is in them and names in the order of their
	// bytes. A state is named by a snapshot, or "" for the files as they are now;
	// while programs write, those may be of different moments. Times alone are no
	// difference. An error of visit ends the call and is returned as it is.
	//
	// It fails with ErrNoSnapshot, and with ErrNotRunning where the state of now
	// cannot be looked at while the machine is stopped. It may be called beside
	// any other call for the machine, and changes nothing.
	Diff(ctx context.Context, ref Ref, from, to string, visit func(FileChange) error) error
}

// FileChange is a path at which two states differ.
type FileChange struct {
	Path          string     // absolute, in the machine
	Before, After *FileState // nil where there is nothing; never both
	// Content tells that both are regular files that hold different bytes.
	Content bool
}

// FileState is a file in one of two states.
type FileState struct {
	Mode     fs.FileMode // with its type
	UID, GID uint32      // as the machine's root sees them, or as the host does; the same for both states
	Size     int64       // bytes, of a regular file
	Target   string      // of a symbolic link
	// Read returns what a regular file holds, when that is at most limit bytes;
	// else it fails. It may be called until visit returns. Where the state is that
	// of now, the file may have changed meanwhile.
	Read func(limit int64) ([]byte, error)
}

// Same reports whether two files differ at most in the bytes they hold.
func (s FileState) Same(other FileState) bool {
	return s.Mode == other.Mode && s.UID == other.UID && s.GID == other.GID && s.Target == other.Target
}

package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// Errands, the first word of Run.Errand. The words that follow are in brackets;
// what goes in and out is on standard input and output. An errand that fails
// writes a FileError as JSON on standard error and exits with code 1.
const (
	ErrandRead   = "read"   // [limit path]: a FileInfo as a line of JSON, then the file's bytes
	ErrandWrite  = "write"  // [mode path]: the bytes come on standard input; mode 0 keeps the file's, or is 0644
	ErrandList   = "list"   // [limit path]: a Listing as JSON
	ErrandRemove = "remove" // [recursive path]
	ErrandPack   = "pack"   // ["" path]: the tree as package archive has it
	ErrandStamps = "stamps" // [since path], seconds since 1970: a list of Stamps
	ErrandUnpack = "unpack" // [name path]: the same on standard input, put where Place says; a Skipped as JSON
)

// FileType says what stands at a path.
type FileType string

// File types.
const (
	TypeFile   FileType = "file"
	TypeFolder FileType = "folder"
	TypeLink   FileType = "link"  // symbolic
	TypeOther  FileType = "other" // pipe, socket, device
)

// FileInfo describes a file in a VM.
type FileInfo struct {
	Name       string    `json:"name"` // without its folder
	Type       FileType  `json:"type"`
	Size       int64     `json:"size"` // bytes, of files; else 0
	Mode       uint32    `json:"mode"` // permission bits
	ModifiedAt time.Time `json:"modifiedAt"`
	Target     string    `json:"target,omitempty"` // of a link
}

// Listing of a folder, by name; of anything else that alone.
type Listing struct {
	Files []FileInfo `json:"files"`
	More  bool       `json:"more,omitempty"` // there are more than were asked for
}

// FileCode tells programs why something could not be done with a file.
type FileCode string

// File codes.
const (
	FileNotFound  FileCode = "notFound"
	FileDenied    FileCode = "denied"    // the VM's user may not
	FileUnfit     FileCode = "unfit"     // not of the type that it takes
	FileTooLarge  FileCode = "tooLarge"  // than the limit given
	FileNotEmpty  FileCode = "notEmpty"  // a folder, to be removed without what is in it
	FileNoSpace   FileCode = "noSpace"   // the VM's disk is full
	FileNoProcess FileCode = "noProcess" // the VM has no room for the errand itself
	FileFailed    FileCode = "failed"    // anything else
)

// FileError is why something could not be done with a file in a VM.
type FileError struct {
	Code   FileCode `json:"code"`
	Reason string   `json:"reason"` // for a person
}

func (e *FileError) Error() string { return e.Reason }

// errandRecord is what the record of an errand keeps: enough for its error.
const errandRecord = 8 << 10

// headerBytes bounds the FileInfo before a file's bytes.
const headerBytes = 8 << 10

// Listing's JSON takes no more than this for each file that was asked for.
const listingBytes = 16 << 10

// ReadFile reads a regular file of at most limit bytes. It never waits for a
// pipe or a device; what is no regular file is refused. The path may be relative
// to the VM user's home, and is resolved by the VM with that user's rights. The
// run gives the errand an ID and limits; so it is with all methods on files.
// They fail with a *FileError.
func (c *Client) ReadFile(ctx context.Context, run Run, path string, limit int64) (FileInfo, []byte, error) {
	run.Errand = []string{ErrandRead, strconv.FormatInt(limit, 10), path}
	out, err := c.fetch(ctx, run, limit+headerBytes)
	if err != nil {
		return FileInfo{}, nil, err
	}
	var info FileInfo
	header, data, found := bytes.Cut(out, []byte("\n"))
	if err := json.Unmarshal(header, &info); err != nil || !found {
		return info, nil, fmt.Errorf("agent: %w: a file without its description", wire.ErrProtocol)
	}
	return info, data, nil
}

// WriteFile writes a regular file, with missing folders made. Mode 0 leaves that
// of a file that is there, and gives a new one 0644.
func (c *Client) WriteFile(ctx context.Context, run Run, path string, data []byte, mode uint32) error {
	run.Errand = []string{ErrandWrite, strconv.FormatUint(uint64(mode), 8), path}
	run.Stdin = data
	return c.errand(ctx, run, nil)
}

// ListFiles lists a folder, at most limit of its files.
func (c *Client) ListFiles(ctx context.Context, run Run, path string, limit int) (Listing, error) {
	run.Errand = []string{ErrandList, strconv.Itoa(limit), path}
	out, err := c.fetch(ctx, run, int64(limit+1)*listingBytes)
	if err != nil {
		return Listing{}, err
	}
	var list Listing
	if err := json.Unmarshal(out, &list); err != nil {
		return Listing{}, fmt.Errorf("agent: %w: %w", wire.ErrProtocol, err)
	}
	return list, nil
}

// RemoveFile removes what stands at the path; links are not followed. A folder
// that is not empty is removed only with recursive.
func (c *Client) RemoveFile(ctx context.Context, run Run, path string, recursive bool) error {
	run.Errand = []string{ErrandRemove, strconv.FormatBool(recursive), path}
	return c.errand(ctx, run, nil)
}

// errExcess: a VM sent more than it was asked for.
var errExcess = fmt.Errorf("%w: more than was asked for", wire.ErrProtocol)

// fetch runs an errand and returns what it wrote, at most limit bytes.
func (c *Client) fetch(ctx context.Context, run Run, limit int64) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var out bytes.Buffer
	err := c.errand(ctx, run, func(p []byte) {
		if int64(out.Len()+len(p)) > limit {
			cancel(errExcess)
			return
		}
		out.Write(p)
	})
	if errors.Is(context.Cause(ctx), errExcess) {
		return nil, fmt.Errorf("agent: %w", errExcess)
	}
	return out.Bytes(), err
}

// errand runs an errand to its end; out, which may be nil, takes what it writes.
func (c *Client) errand(ctx context.Context, run Run, out func([]byte)) error {
	run.RecordBytes = errandRecord
	result, err := c.Run(ctx, run, func(stream Stream, p []byte) {
		if stream == Stdout && out != nil {
			out(p)
		}
	})
	if err != nil {
		return err
	}
	_ = c.Forget(context.WithoutCancel(ctx), run.ID) // else it gives way to others in time
	if err := ctx.Err(); err != nil {
		return err
	}
	return result.fileError()
}

// fileError is why an errand failed, or nil.
func (r Result) fileError() error {
	if r.Verdict == Exited && r.ExitCode == 0 {
		return nil
	}
	var failure FileError
	if r.ExitCode == 1 && json.Unmarshal(r.Stderr.Head, &failure) == nil && failure.Code != "" {
		return &failure
	}
	switch r.Verdict {
	case DiskFull:
		return &FileError{FileNoSpace, "the VM's disk is full"}
	case PidsLimit:
		return &FileError{FileNoProcess, "the VM has as many processes as it may have"}
	case OutOfMemory:
		return &FileError{FileNoProcess, "the VM has no memory left"}
	case Timeout:
		return &FileError{FileFailed, "it took too long"}
	}
	return &FileError{FileFailed, fmt.Sprintf("it ended in the VM: %s, exit code %d", r.Verdict, r.ExitCode)}
}

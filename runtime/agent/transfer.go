package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// Skipped are the files that were left out of a copy: pipes, sockets, devices,
// and links that lead out of what was copied.
type Skipped struct {
	Count int      `json:"count"`
	Names []string `json:"names,omitempty"` // the first of them
}

// maxSkippedNames bounds Skipped.Names.
const maxSkippedNames = 20

// Add notes one more.
func (s *Skipped) Add(name string) {
	if s.Count++; len(s.Names) < maxSkippedNames {
		s.Names = append(s.Names, name)
	}
}

// PackFiles writes what stands at the path in the VM to w, as package archive has
// it. A slow writer presses back on the VM. The stream is the VM's: it may be
// anything, of any length.
func (c *Client) PackFiles(ctx context.Context, run Run, path string, w io.Writer) error {
	run.Errand = []string{ErrandPack, "", path}
	return c.stream(ctx, run, w)
}

// stream runs an errand and writes to w what it writes.
func (c *Client) stream(ctx context.Context, run Run, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed error
	err := c.errand(ctx, run, func(p []byte) {
		if failed == nil {
			if _, failed = w.Write(p); failed != nil {
				cancel()
			}
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

// sendChunk is how much of a stream goes into one frame.
const sendChunk = 256 << 10

// UnpackFiles puts a tree from r, as package archive has it, at the path in the
// VM, under a name if a folder is there; see archive.Place.
func (c *Client) UnpackFiles(ctx context.Context, run Run, name, path string, r io.Reader) (Skipped, error) {
	run.Errand, run.OpenStdin, run.RecordBytes = []string{ErrandUnpack, name, path}, true, errandRecord
	var skipped Skipped
	if err := c.Start(ctx, run); err != nil {
		return skipped, err
	}
	feeding, stop := context.WithCancel(ctx)
	defer stop()
	fed := make(chan error, 1)
	go func() { fed <- c.feed(feeding, run.ID, r) }()
	leaving := context.AfterFunc(ctx, func() {
		_ = c.Kill(context.WithoutCancel(ctx), run.ID, Cancelled) // when the stream is broken, Follow says so
	})
	defer leaving()
	result, err := c.Follow(context.WithoutCancel(ctx), run.ID, nil)
	stop() // nobody reads on
	failed := <-fed
	if err != nil {
		return skipped, err
	}
	_ = c.Forget(context.WithoutCancel(ctx), run.ID) // else it gives way to others in time
	var source *sourceError
	switch {
	case ctx.Err() != nil:
		return skipped, ctx.Err()
	case errors.As(failed, &source):
		return skipped, source.err
	case result.fileError() != nil:
		return skipped, result.fileError()
	}
	if err := json.Unmarshal(result.Stdout.Head, &skipped); err != nil {
		return skipped, fmt.Errorf("agent: %w: %w", wire.ErrProtocol, err)
	}
	return skipped, nil
}

// sourceError is a failure of the reader that feeds a run.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }

// feed gives a run all that r has as standard input. When r fails the run is
// killed: half a stream must not pass for a whole one.
func (c *Client) feed(ctx context.Context, id string, r io.Reader) error {
	chunk := make([]byte, sendChunk)
	for ctx.Err() == nil {
		n, err := io.ReadFull(r, chunk)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			_ = c.Kill(ctx, id, Cancelled) // it may have ended just now
			return &sourceError{err}
		}
		if err := c.Input(ctx, id, chunk[:n], end); err != nil || end {
			return err
		}
	}
	return ctx.Err()
}

package agent

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strconv"
	"time"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// Stamp is what tells a file from another version of it.
type Stamp struct {
	Path     string // absolute
	Mode     fs.FileMode
	UID, GID uint32
	Size     int64  // bytes, of a regular file
	Target   string // of a symbolic link
	// Sum tells the content of a regular file; empty where nobody has changed
	// anything of it since the moment that was asked for.
	Sum string
}

// Stamps lists the file at a path and all below it but what is mounted there,
// folders before what is in them and names in the order of their bytes. Contents
// are summed up of files that were changed since that moment. The run gives the
// errand an ID, limits and a user.
func (c *Client) Stamps(ctx context.Context, run Run, since time.Time, path string) iter.Seq2[Stamp, error] {
	run.Errand = []string{ErrandStamps, strconv.FormatInt(since.Unix(), 10), path}
	return func(yield func(Stamp, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		reader, writer := io.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			writer.CloseWithError(c.stream(ctx, run, writer))
		}()
		defer func() {
			cancel()
			reader.CloseWithError(context.Canceled)
			<-done
		}()
		in := bufio.NewReader(reader)
		for {
			s, err := readStamp(in)
			if errors.Is(err, io.EOF) || !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// maxStamp bounds a Stamp as it travels: paths and links have at most 4096 bytes.
const maxStamp = 16 << 10

// Append appends a Stamp as it travels: its length, then its fields, numbers and
// lengths as unsigned varints.
func (s Stamp) Append(b []byte) []byte {
	var fields []byte
	text := func(s string) {
		fields = binary.AppendUvarint(fields, uint64(len(s)))
		fields = append(fields, s...)
	}
	text(s.Path)
	for _, number := range []uint64{uint64(s.Mode), uint64(s.UID), uint64(s.GID), uint64(s.Size)} {
		fields = binary.AppendUvarint(fields, number)
	}
	text(s.Target)
	text(s.Sum)
	b = binary.AppendUvarint(b, uint64(len(fields)))
	return append(b, fields...)
}

// readStamp reads what Append wrote; io.EOF when there is no more.
func readStamp(r *bufio.Reader) (Stamp, error) {
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return Stamp{}, err
	}
	if size > maxStamp {
		return Stamp{}, errStamp
	}
	fields := make([]byte, size)
	if _, err := io.ReadFull(r, fields); err != nil {
		return Stamp{}, fmt.Errorf("%w: %w", errStamp, err)
	}
	p := stampParser{left: fields}
	s := Stamp{
		Path: p.text(), Mode: fs.FileMode(p.number()), UID: uint32(p.number()), GID: uint32(p.number()), Size: int64(p.number()),
		Target: p.text(), Sum: p.text(),
	}
	if p.broken || len(p.left) > 0 || s.Size < 0 {
		return Stamp{}, errStamp
	}
	return s, nil
}

var errStamp = fmt.Errorf("agent: %w: not a list of files", wire.ErrProtocol)

// stampParser takes fields off what a guest has sent.
type stampParser struct {
	left   []byte
	broken bool
}

func (p *stampParser) number() uint64 {
	n, size := binary.Uvarint(p.left)
	if size <= 0 {
		p.broken = true
		return 0
	}
	p.left = p.left[size:]
	return n
}

func (p *stampParser) text() string {
	n := p.number()
	if n > uint64(len(p.left)) {
		p.broken = true
		return ""
	}
	text := string(p.left[:n])
	p.left = p.left[n:]
	return text
}

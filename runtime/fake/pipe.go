package fake

import (
	"bytes"
	"context"
	"io"
	"sync"
	"syscall"
)

// pipe carries output from processes, each of which may end while it waits, to
// one reader.
type pipe struct {
	chunks chan []byte
	ended  chan struct{} // no process writes any more
	closed chan struct{} // the reader wants no more

	once sync.Once // of closed
	rest []byte    // of the reader's last chunk
}

// Sizes of what a pipe holds: 64 KiB, as Linux has it.
const (
	chunkSize  = 32 << 10
	chunkCount = 2
)

func newPipe() *pipe {
	return &pipe{chunks: make(chan []byte, chunkCount), ended: make(chan struct{}), closed: make(chan struct{})}
}

// Read implements io.Reader. What was written before the end is read before it.
func (p *pipe) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		select {
		case p.rest = <-p.chunks:
		case <-p.closed:
			return 0, io.EOF
		case <-p.ended:
			select {
			case p.rest = <-p.chunks:
			default:
				return 0, io.EOF
			}
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *pipe) end()   { close(p.ended) }
func (p *pipe) close() { p.once.Do(func() { close(p.closed) }) }

// writer is the pipe's end in a process; writes fail once ctx has ended.
func (p *pipe) writer(ctx context.Context) io.Writer { return pipeWriter{p, ctx} }

type pipeWriter struct {
	*pipe
	ctx context.Context
}

func (w pipeWriter) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	written := 0
	for written < len(b) {
		chunk := bytes.Clone(b[written:min(len(b), written+chunkSize)])
		select {
		case w.chunks <- chunk:
			written += len(chunk)
		case <-w.closed:
			return written, syscall.EPIPE
		case <-w.ctx.Done():
			return written, w.ctx.Err()
		}
	}
	return written, nil
}

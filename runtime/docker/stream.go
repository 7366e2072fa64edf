package docker

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/pkg/stdcopy"
)

// stream is a hijacked exec without a terminal: what is written goes to the
// program's standard input as it is; what comes back is framed, each frame
// with a header of eight bytes (stream, three zeros, length in network order).
//
// Reads may not run at the same time as each other; Close may come at any time.
type stream struct {
	conn   net.Conn
	reader io.Reader // of conn, with what was read ahead

	left    uint32 // of the current frame of standard output
	broken  error  // what every further Read returns
	trouble strings.Builder

	closeOnce sync.Once
	closeErr  error
}

// maxTrouble is how much of the bridge's error output is kept for the message.
const maxTrouble = 4 << 10

func newStream(hijacked types.HijackedResponse) *stream {
	return &stream{conn: hijacked.Conn, reader: hijacked.Reader}
}

func (s *stream) Write(p []byte) (int, error) { return s.conn.Write(p) }

// Close ends the bridge; the machine goes on. It may be repeated.
func (s *stream) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.conn.Close() })
	return s.closeErr
}

// Read reads standard output. At its end it returns io.EOF, or what the bridge
// or the engine had to say about it.
func (s *stream) Read(p []byte) (int, error) {
	for s.left == 0 && s.broken == nil {
		s.broken = s.nextFrame()
	}
	if s.broken != nil {
		return 0, s.broken
	}
	if uint64(len(p)) > uint64(s.left) {
		p = p[:s.left]
	}
	n, err := s.reader.Read(p)
	s.left -= uint32(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	s.broken = err
	return n, err
}

// nextFrame reads up to the content of the next frame of standard output.
func (s *stream) nextFrame() error {
	var header [8]byte
	if _, err := io.ReadFull(s.reader, header[:]); err != nil {
		return s.ended(err)
	}
	size := binary.BigEndian.Uint32(header[4:])
	switch kind := stdcopy.StdType(header[0]); kind {
	case stdcopy.Stdout:
		s.left = size
		return nil
	case stdcopy.Stderr, stdcopy.Systemerr:
		return s.keepTrouble(size)
	default:
		return fmt.Errorf("docker engine: frame of unknown stream %d", kind)
	}
}

func (s *stream) keepTrouble(size uint32) error {
	kept := min(int64(size), max(maxTrouble-int64(s.trouble.Len()), 0))
	if _, err := io.CopyN(&s.trouble, s.reader, kept); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, s.reader, int64(size)-kept)
	return err
}

func (s *stream) ended(err error) error {
	if said := strings.TrimSpace(s.trouble.String()); said != "" {
		return fmt.Errorf("agent's bridge ended: %s", said)
	}
	return err
}

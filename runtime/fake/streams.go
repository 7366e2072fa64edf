package fake

import "io"

// streams are the three standard ones of a family, with both ends of each.
type streams struct {
	stdinWriter    *io.PipeWriter
	stdin          *io.PipeReader
	stdout, stderr *pipe
}

func newStreams() *streams {
	s := &streams{stdout: newPipe(), stderr: newPipe()}
	s.stdin, s.stdinWriter = io.Pipe()
	return s
}

// Stdin implements guest.Process and guest.Streams.
func (s *streams) Stdin() io.WriteCloser { return s.stdinWriter }

// Stdout implements guest.Process and guest.Streams.
func (s *streams) Stdout() io.Reader { return s.stdout }

// Stderr implements guest.Process and guest.Streams.
func (s *streams) Stderr() io.Reader { return s.stderr }

// HandOver implements guest.Streams: the ends here need no watching.
func (s *streams) HandOver() {}

// Close implements guest.Process and guest.Streams.
func (s *streams) Close() error {
	s.stdinWriter.Close()
	s.stdout.close()
	s.stderr.close()
	return nil
}

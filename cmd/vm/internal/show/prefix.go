package show

import (
	"bytes"
	"io"
)

// Prefixed writes whole lines, each behind a prefix. Flush writes what has no
// line end yet.
type Prefixed struct {
	W      io.Writer
	Prefix string

	rest []byte
}

// longLine is how much of an endless line is held back.
const longLine = 64 << 10

func (p *Prefixed) Write(b []byte) (int, error) {
	p.rest = append(p.rest, b...)
	end := bytes.LastIndexByte(p.rest, '\n') + 1
	if end == 0 && len(p.rest) < longLine {
		return len(b), nil
	}
	if end == 0 {
		end = len(p.rest)
	}
	err := p.lines(p.rest[:end])
	p.rest = append(p.rest[:0], p.rest[end:]...)
	return len(b), err
}

// Flush ends an unfinished line.
func (p *Prefixed) Flush() error {
	if len(p.rest) == 0 {
		return nil
	}
	err := p.lines(p.rest)
	p.rest = nil
	return err
}

func (p *Prefixed) lines(text []byte) error {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		out.WriteString(p.Prefix)
		out.Write(bytes.TrimSuffix(line, []byte("\n")))
		out.WriteByte('\n')
	}
	_, err := p.W.Write(out.Bytes())
	return err
}

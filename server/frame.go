package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/itechsmart/vm/handlers"
)

const (
	// maxFrame is the longest message taken, in bytes.
	maxFrame = 64 << 20
	// maxHeader bounds one header line, and window is how much is read at once.
	maxHeader = 8 << 10
	window    = 64 << 10
	// maxHeaders bounds the lines before a body.
	maxHeaders = 32
)

// errUnframed: what comes in has held no header for maxFrame bytes.
var errUnframed = errors.New("the input is not framed with Content-Length headers")

// A frameError is a frame that cannot be taken. The reader has found its
// footing again, or will on the next call.
type frameError struct {
	code    int64
	message string
}

func (e *frameError) Error() string { return e.message }

func badFraming(format string, args ...any) *frameError {
	return &frameError{handlers.CodeParseError, fmt.Sprintf(format, args...)}
}

// frameReader reads the frames of the LSP base protocol, and goes on after
// broken ones. What makes that safe: a JSON text never holds a raw line break
// inside a string, so "Content-Length: 5\r\n" within what should be a body can
// only be the header of another frame.
type frameReader struct {
	source *rewinder
	r      *bufio.Reader
	// skip is how many bytes to discard before the next frame, unless a
	// header comes first.
	skip int64
	// lost: framing is broken, a header must be found within skip bytes.
	lost bool
	// suspect: the frame before was broken and has been complained about.
	// Whatever precedes the next header is most likely its rest, and not worth
	// another complaint.
	suspect bool
}

func newFrameReader(r io.Reader) *frameReader {
	source := &rewinder{r: r}
	return &frameReader{source: source, r: bufio.NewReaderSize(source, window)}
}

// next returns the next frame's body, which is the caller's own. After a
// *frameError it may be called again; any other error is final: io.EOF between
// frames, io.ErrUnexpectedEOF within one, errUnframed.
func (f *frameReader) next() ([]byte, error) {
	for {
		if err := f.discard(); err != nil {
			return nil, err
		}
		length, err := f.header()
		var broken *frameError
		switch {
		case err == nil:
			f.suspect = false
			return f.body(length)
		case !errors.As(err, &broken):
			return nil, err
		case f.suspect && f.lost:
			continue
		}
		f.suspect = f.lost
		return nil, broken
	}
}

// malformed is told that the body returned last is no JSON. If its
// Content-Length was too large, the body holds the beginning of a frame that
// came after it, which is read again.
func (f *frameReader) malformed(body []byte) {
	f.suspect = true
	if i, _ := findHeader(body); i >= 0 {
		f.unread(body[i:])
	}
}

// discard skips what is left of a frame that was refused.
func (f *frameReader) discard() error {
	need := 1
	for f.skip > 0 {
		// Looking at what has arrived, never waiting for more than is needed:
		// the client may be waiting for us.
		if _, err := f.r.Peek(need); err != nil {
			return err
		}
		seen, _ := f.r.Peek(int(min(int64(f.r.Buffered()), f.skip)))
		at, complete := findHeader(seen)
		switch {
		case complete:
			_, _ = f.r.Discard(at)
			f.skip, f.lost, f.suspect = 0, false, false
			return nil
		case at < 0 || int64(len(seen)) == f.skip:
			at, need = len(seen), 1
		default: // perhaps the beginning of a header: wait for one byte more
			need = len(seen) - at + 1
		}
		_, _ = f.r.Discard(at)
		f.skip -= int64(at)
	}
	if f.lost {
		return errUnframed
	}
	return nil
}

// header reads the lines before a body and returns its length.
func (f *frameReader) header() (int64, error) {
	length, err := int64(-1), error(nil)
	for n := 0; ; {
		line, readErr := f.r.ReadSlice('\n')
		switch {
		case errors.Is(readErr, bufio.ErrBufferFull) || len(line) > maxHeader || n == maxHeaders:
			return 0, f.lose(badFraming("a frame's header is too long"))
		case readErr != nil:
			if len(line) == 0 && n == 0 {
				return 0, io.EOF
			}
			return 0, endWithin(readErr)
		}
		if at, complete := findHeader(line); complete && at > 0 {
			f.unread(bytes.Clone(line[at:]))
			return 0, f.lose(badFraming("there are %d bytes between two frames; is a Content-Length too small?", at))
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			if n == 0 {
				continue // line breaks after a body do no harm
			}
			break
		}
		name, value, ok := strings.Cut(text, ":")
		if name = strings.TrimSpace(name); !ok || !isHeaderName(name) {
			return 0, f.lose(badFraming("%.40q is not a header; frames begin with Content-Length: <bytes>", text))
		}
		n, f.suspect = n+1, false
		if strings.EqualFold(name, "Content-Length") && err == nil {
			length, err = parseLength(strings.TrimSpace(value), length)
		}
	}
	switch {
	case err != nil:
		return 0, f.lose(err)
	case length < 0:
		return 0, f.lose(badFraming("a frame has no Content-Length"))
	case length > maxFrame:
		f.skip = length
		return 0, &frameError{handlers.CodeInvalidRequest,
			fmt.Sprintf("the message is %d bytes long; at most %d are taken", length, maxFrame)}
	}
	return length, nil
}

// lose says that the next frame's beginning is to be looked for.
func (f *frameReader) lose(err error) error {
	f.skip, f.lost = maxFrame, true
	return err
}

func parseLength(value string, previous int64) (int64, error) {
	length, err := strconv.ParseUint(value, 10, 63)
	switch {
	case err != nil:
		return 0, badFraming("Content-Length is %.40q, not a number of bytes", value)
	case previous >= 0 && previous != int64(length):
		return 0, badFraming("a frame has two different Content-Lengths, %d and %d", previous, length)
	}
	return int64(length), nil
}

// body reads a body. A large one takes memory as it comes, not as announced.
func (f *frameReader) body(length int64) ([]byte, error) {
	if length <= window {
		body := make([]byte, length)
		_, err := io.ReadFull(f.r, body)
		return body, endWithin(err)
	}
	var body bytes.Buffer
	_, err := io.CopyN(&body, f.r, length)
	return body.Bytes(), endWithin(err)
}

// endWithin names an end of input within a frame.
func endWithin(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unread puts bytes back, which are its own from now on, before all that is to come.
func (f *frameReader) unread(p []byte) {
	buffered, _ := f.r.Peek(f.r.Buffered())
	f.source.push(bytes.Clone(buffered))
	f.source.push(p)
	f.r.Reset(f.source)
}

// rewinder is a reader that can be given bytes to read first.
type rewinder struct {
	r     io.Reader
	first [][]byte // a stack: the last one is read first
}

func (w *rewinder) push(p []byte) {
	if len(p) > 0 {
		w.first = append(w.first, p)
	}
}

func (w *rewinder) Read(p []byte) (int, error) {
	top := len(w.first) - 1
	if top < 0 {
		return w.r.Read(p)
	}
	n := copy(p, w.first[top])
	if w.first[top] = w.first[top][n:]; len(w.first[top]) == 0 {
		w.first = w.first[:top]
	}
	return n, nil
}

// findHeader finds the first Content-Length line in p, whatever its value. If p
// ends where one may be beginning, it returns that place and complete is false;
// without either, at is -1.
func findHeader(p []byte) (at int, complete bool) {
	for i := range p {
		if p[i]|0x20 != 'c' {
			continue
		}
		if matches, whole := matchHeader(p[i:]); matches {
			return i, whole
		}
	}
	return -1, false
}

var lengthHeader = []byte("content-length:")

// matchHeader reports whether p begins with a Content-Length line, or is the
// beginning of one (whole is false then). A quotation mark cannot be part of it:
// so neither can a line of indented JSON that has the word in a string.
func matchHeader(p []byte) (matches, whole bool) {
	n := min(len(p), len(lengthHeader))
	if !bytes.EqualFold(p[:n], lengthHeader[:n]) {
		return false, false
	}
	const longest = 64
	value := p[n:]
	switch end := bytes.IndexAny(value[:min(len(value), longest)], "\"\n"); {
	case end >= 0:
		return value[end] == '\n', true
	default:
		return len(value) < longest, false
	}
}

// isHeaderName reports whether s can be a header's name.
func isHeaderName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

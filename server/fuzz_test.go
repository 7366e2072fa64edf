package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/handlers"
)

// seeds are the bytes that the transcripts' clients send.
func seeds(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal("no transcripts", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var input strings.Builder
		for line := range strings.Lines(string(text)) {
			verb, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			switch verb {
			case ">":
				input.WriteString(framed(rest))
			case ">>":
				input.WriteString((&peer{}).unquote(rest))
			}
		}
		f.Add([]byte(input.String()))
	}
}

// FuzzFrames: what a reader makes of its input does not depend on the pieces in
// which it arrives.
func FuzzFrames(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		whole := readAll(bytes.NewReader(input))
		if diff := cmp.Diff(whole, readAll(iotest.OneByteReader(bytes.NewReader(input)))); diff != "" {
			t.Errorf("read at once and byte by byte differ:\n%s", diff)
		}
	})
}

// readAll returns bodies and errors, as a stream would meet them.
func readAll(r io.Reader) []string {
	var seen []string
	frames := newFrameReader(r)
	for {
		body, err := frames.next()
		var broken *frameError
		switch {
		case errors.As(err, &broken):
			seen = append(seen, "broken: "+broken.message)
		case err != nil:
			return append(seen, "end: "+err.Error())
		default:
			if _, fault := parse(body); fault != nil && fault.Code == handlers.CodeParseError {
				frames.malformed(body)
			}
			seen = append(seen, "body: "+string(body))
		}
	}
}

// FuzzServe: whatever comes in, frames of valid JSON go out, and the server ends
// with its input.
func FuzzServe(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		var out bytes.Buffer
		l := newLab()
		l.timid = true
		rwc := Stdio(io.NopCloser(bytes.NewReader(input)), nopWriteCloser{&out})
		_, err := Serve(context.Background(), rwc, func() handlers.Dispatcher { return l }, Options{Grace: 1})
		if err != nil {
			t.Error(err)
		}
		for r := newFrameReader(&out); ; {
			body, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || !json.Valid(body) {
				t.Fatalf("sent %q, %v", body, err)
			}
		}
	})
}

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }

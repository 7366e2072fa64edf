package docker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/pkg/stdcopy"
)

func frame(kind stdcopy.StdType, content string) string {
	header := []byte{byte(kind), 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(header[4:], uint32(len(content)))
	return string(header) + content
}

func TestStreamReadsStandardOutputOnly(t *testing.T) {
	long := strings.Repeat("é\x00\xff", 40_000)
	noise := strings.Repeat("noise", 2*maxTrouble)
	tests := []struct {
		name, wire, want string
		err              string // part of it; empty = plain end of file
	}{
		{"nothing", "", "", ""},
		{"frames are joined", frame(stdcopy.Stdout, "ab") + frame(stdcopy.Stdout, "c"), "abc", ""},
		{"an empty frame is no end", frame(stdcopy.Stdout, "") + frame(stdcopy.Stdout, "x"), "x", ""},
		{"bytes stay bytes", frame(stdcopy.Stdout, long), long, ""},
		{"what went wrong is told", frame(stdcopy.Stdout, "a") + frame(stdcopy.Stderr, "no socket\n"), "a", "no socket"},
		{"what went wrong may be long", frame(stdcopy.Stderr, noise) + frame(stdcopy.Stdout, "a"), "a", "noise"},
		{"the engine's own trouble", frame(stdcopy.Systemerr, "it broke"), "", "it broke"},
		{"cut in a header", frame(stdcopy.Stdout, "a") + "\x01\x00", "a", io.ErrUnexpectedEOF.Error()},
		{"cut in a frame", frame(stdcopy.Stdout, "abc")[:10], "ab", io.ErrUnexpectedEOF.Error()},
		{"not framed at all", "\x07nonsense", "", "unknown stream 7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, reader := range map[string]io.Reader{
				"at once":      strings.NewReader(tt.wire),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tt.wire)),
			} {
				got, err := io.ReadAll(&stream{reader: reader})
				if string(got) != tt.want {
					t.Errorf("%s: read %.40q, want %.40q", how, got, tt.want)
				}
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Errorf("%s: error %v, want %q", how, err, tt.err)
				}
			}
		})
	}
}

func TestStreamErrorStays(t *testing.T) {
	s := &stream{reader: strings.NewReader("\x07nonsense" + frame(stdcopy.Stdout, "late"))}
	_, first := s.Read(make([]byte, 8))
	n, second := s.Read(make([]byte, 8))
	if n != 0 || first == nil || !errors.Is(second, first) {
		t.Errorf("read %d bytes and %v after %v", n, second, first)
	}
}

func TestStreamCloseEndsRead(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	s := newStream(types.HijackedResponse{Conn: ours, Reader: bufio.NewReader(ours)})
	ended := make(chan error, 1)
	go func() {
		_, err := s.Read(make([]byte, 1))
		ended <- err
	}()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; err == nil {
		t.Error("Read after Close: no error")
	}
}

func TestStreamWritesAsItIs(t *testing.T) {
	ours, theirs := net.Pipe()
	s := newStream(types.HijackedResponse{Conn: ours, Reader: bufio.NewReader(ours)})
	go func() {
		_, _ = s.Write([]byte("plain"))
		s.Close()
	}()
	got, _ := io.ReadAll(theirs)
	if !bytes.Equal(got, []byte("plain")) {
		t.Errorf("wrote %q", got)
	}
}

package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/itechsmart/vm/handlers"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is the client's end of a connection that is served in this process.
type peer struct {
	t      *testing.T
	lab    *lab
	in     *io.PipeWriter     // what the server reads
	out    *io.PipeReader     // what the server writes
	stop   context.CancelFunc // of Serve's context
	ended  chan struct{}      // closed when Serve has returned
	ending Ending
	err    error
}

// serve starts a server. Nobody reads what it writes yet.
func serve(t *testing.T, opts Options) *peer {
	t.Helper()
	serverIn, in := io.Pipe()
	out, serverOut := io.Pipe()
	p := &peer{t: t, lab: newLab(), in: in, out: out, ended: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	go func() {
		defer close(p.ended)
		p.ending, p.err = Serve(ctx, Stdio(serverIn, serverOut), func() handlers.Dispatcher { return p.lab }, opts)
	}()
	t.Cleanup(func() {
		stop()
		_ = out.Close()
		<-p.ended
		p.lab.openAll()
		if p.lab.shutdowns != 1 {
			t.Errorf("Shutdown of the dispatcher was called %d times", p.lab.shutdowns)
		}
	})
	return p
}

// write sends bytes as they are. A server that has ended does not take them.
func (p *peer) write(raw string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, raw); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		p.t.Fatal(err)
	}
}

// send sends a message in a frame.
func (p *peer) send(message string) {
	p.t.Helper()
	p.write(framed(message))
}

func framed(message string) string {
	return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(message), message)
}

// readFrame reads a frame as the base protocol has it, and nothing else.
func readFrame(r *bufio.Reader) (string, error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	digits, ok := strings.CutPrefix(head, "Content-Length: ")
	digits, crlf := strings.CutSuffix(digits, "\r\n")
	length, err := strconv.Atoi(digits)
	if !ok || !crlf || err != nil {
		return "", fmt.Errorf("not a header: %q", head)
	}
	if blank, _ := r.ReadString('\n'); blank != "\r\n" {
		return "", fmt.Errorf("not an empty line: %q", blank)
	}
	body := make([]byte, length)
	_, err = io.ReadFull(r, body)
	return string(body), err
}

// inbox collects the frames that come from a server.
type inbox struct {
	mu     sync.Mutex
	frames []string
}

func (p *peer) collect() *inbox {
	box := &inbox{}
	go func() {
		r := bufio.NewReader(p.out)
		for {
			frame, err := readFrame(r)
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
					p.t.Error(err)
				}
				return
			}
			box.mu.Lock()
			box.frames = append(box.frames, frame)
			box.mu.Unlock()
		}
	}()
	return box
}

func (b *inbox) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	frames := b.frames
	b.frames = nil
	return frames
}

// TestTranscripts plays testdata/*.txt. A line of a transcript is
//
//	# a comment
//	> a message that the client sends in a frame
//	>> "bytes that it sends as they are, quoted as in Go"
//	>+ 3 "bytes that it sends that many times"
//	wait 5s       time passes
//	eof           the client closes its end
//	stop          Serve's context ends
//	< a message that the server sends, at that moment
//	= how Serve ended
//
// The last two are what is compared; -update writes them.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, string(want)) })
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("transcript differs (-want +got):\n%s", diff)
			}
		})
	}
}

// play runs a transcript's own lines and returns it with the server's.
func play(t *testing.T, transcript string) string {
	var log lockedBuffer
	p := serve(t, Options{Log: NewLog(&log, slog.LevelError+1)})
	box := p.collect()
	var played strings.Builder
	for line := range strings.Lines(transcript) {
		if strings.HasPrefix(line, "< ") || strings.HasPrefix(line, "= ") {
			continue
		}
		played.WriteString(line)
		p.act(strings.TrimSuffix(line, "\n"))
		synctest.Wait()
		for _, frame := range box.take() {
			fmt.Fprintf(&played, "< %s\n", frame)
		}
	}
	select {
	case <-p.ended:
		fmt.Fprintf(&played, "= %s, exit code %d, error %v\n", p.ending.Cause, p.ending.ExitCode(), p.err)
	default:
		played.WriteString("= still serving\n")
	}
	return played.String()
}

func (p *peer) act(line string) {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "", "#":
	case ">":
		p.send(rest)
	case ">>":
		p.write(p.unquote(rest))
	case ">+":
		count, text, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(count)
		if err != nil {
			p.t.Fatal(err)
		}
		p.write(strings.Repeat(p.unquote(text), n))
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			p.t.Fatal(err)
		}
		time.Sleep(d)
	case "eof":
		_ = p.in.Close()
	case "stop":
		p.stop()
	default:
		p.t.Fatalf("a transcript knows no %q", verb)
	}
}

func (p *peer) unquote(text string) string {
	raw, err := strconv.Unquote(text)
	if err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
	return raw
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

package handlers_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/pool"
	"github.com/itechsmart/vm/server"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestTranscripts plays every testdata/*.txt against a server over a pipe: lines
// with > are sent, and what comes back up to the answer must be the lines with <
// that follow; what is sent with >> is a notification, without an answer. Requests
// of the server are answered, see reply. What differs from run to run is replaced,
// see normalise.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("transcript differs; -update rewrites it (-want +got):\n%s", diff)
			}
		})
	}
}

// play sends what a transcript sends and returns it with what came back.
func play(t *testing.T, transcript string) string {
	c := dial(t, newOpener(t))
	c.request(`{"method":"initialize","params":{"capabilities":{"window":{"workDoneProgress":true},"workspace":{"inlayHint":{"refreshSupport":true}}},` +
		`"initializationOptions":{"user":"ada","languages":{"probe":` + probeRow(t) + `}}}}`)
	c.send(`{"jsonrpc":"2.0","method":"initialized","params":{}}`)
	var played strings.Builder
	for line := range strings.Lines(transcript) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "<"):
			continue
		case strings.HasPrefix(line, ">> "):
			fmt.Fprintln(&played, line)
			c.send(strings.Replace(line[3:], "{", `{"jsonrpc":"2.0",`, 1))
		case strings.HasPrefix(line, "> "):
			fmt.Fprintln(&played, line)
			for _, answer := range c.request(line[2:]) {
				fmt.Fprintln(&played, "<", normalise(t, answer))
			}
		default:
			fmt.Fprintln(&played, line)
		}
	}
	return played.String()
}

// probeRow is the row of the fake machines' language, for those who read it from
// the settings.
func probeRow(t *testing.T) string {
	row, err := json.Marshal(fake.Language)
	if err != nil {
		t.Fatal(err)
	}
	return string(row)
}

// nowhere resolves no name.
func nowhere(_ context.Context, name string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Name: name, Err: "no such host", IsNotFound: true}
}

// newOpener makes a pool on the in-memory driver and a database of its own.
func newOpener(t *testing.T) handlers.Opener {
	database := filepath.Join(t.TempDir(), "vm.db")
	driver := fake.New()
	t.Cleanup(func() { _ = driver.Close() })
	return func(ctx context.Context, s handlers.Settings, log *slog.Logger) (handlers.Opened, error) {
		languages, err := lang.New(map[string]lang.Override{fake.LanguageID: fake.Language})
		if err != nil {
			return handlers.Opened{}, err
		}
		store, err := db.Open(ctx, database)
		if err != nil {
			return handlers.Opened{}, err
		}
		p := pool.New(pool.Options{
			Store: store, Drivers: []runtime.Driver{driver}, Languages: languages,
			Quota: pool.StandardQuota(), Defaults: pool.StandardDefaults(), Log: log, Lookup: nowhere,
			Packages: pool.PackageSources{Indexes: lang.Indexes{"pip": "http://index.example/simple"}},
		})
		return handlers.Opened{Pool: p, Close: func() { p.Close(); _ = store.Close() }}, nil
	}
}

// wire is a client of the server under test.
type wire struct {
	t      *testing.T
	conn   net.Conn
	in     *bufio.Reader
	nextID int
}

// dial serves one connection and returns its other end. When the test ends, the
// connection is closed and the server must end.
func dial(t *testing.T, open handlers.Opener) *wire {
	ours, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := server.Serve(context.Background(), theirs, func() handlers.Dispatcher {
			return handlers.NewSession(handlers.SessionOptions{
				Open: open, Runtimes: []string{"fake"}, Version: "test", Log: slog.New(slog.DiscardHandler), OwnMachine: true,
			})
		}, server.Options{})
		done <- err
	}()
	t.Cleanup(func() {
		_ = ours.Close()
		if err := <-done; err != nil && !strings.Contains(err.Error(), "closed pipe") {
			t.Errorf("the server ended with %v", err)
		}
	})
	return &wire{t: t, conn: ours, in: bufio.NewReader(ours)}
}

func (w *wire) send(body string) {
	if _, err := fmt.Fprintf(w.conn, "Content-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		w.t.Fatal(err)
	}
}

// request sends a request with the next id and returns all that comes until its
// answer, the answer last. The live feed is left out: it has a test of its own.
func (w *wire) request(body string) []string {
	w.nextID++
	w.send(strings.Replace(body, "{", fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,`, w.nextID), 1))
	var answers []string
	for {
		body := w.read()
		var m struct {
			ID     json.RawMessage
			Method string
		}
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			w.t.Fatalf("not JSON: %s", body)
		}
		switch {
		case m.Method == "vm/changed" || m.Method == "vm/event" || m.Method == "window/logMessage":
			continue
		case m.Method == "" && string(m.ID) != strconv.Itoa(w.nextID):
			w.t.Fatalf("an answer to another request: %s", body)
		}
		answers = append(answers, body)
		switch {
		case m.Method == "":
			return answers
		case len(m.ID) > 0:
			w.reply(m.ID, m.Method)
		}
	}
}

// reply answers a request of the server: of choices it takes the first.
func (w *wire) reply(id json.RawMessage, method string) {
	result := "null"
	if method == "window/showMessageRequest" {
		result = `{"title":"Create a Probe script VM"}`
	}
	w.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result))
}

func (w *wire) read() string {
	if err := w.conn.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		w.t.Fatal(err)
	}
	length := -1
	for {
		line, err := w.in.ReadString('\n')
		if err != nil {
			w.t.Fatalf("reading: %v", err)
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if length, err = strconv.Atoi(value); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(w.in, body); err != nil {
		w.t.Fatal(err)
	}
	return string(body)
}

// varying are fields whose values differ from run to run.
var varying = map[string]any{
	"createdAt": "TIME", "startedAt": "TIME", "stoppedAt": "TIME", "expiresAt": "TIME", "executedAt": "TIME", "lastUsedAt": "TIME", "modifiedAt": "TIME", "time": "TIME",
	"executionTime": 0, "cpuTime": 0, "peakMemoryMiB": 0, "cpuPercent": 0, "memoryMiB": 0, "diskMiB": 0, "uptime": 0,
	"containerId": "CONTAINER", "host": "HOST", "version": "VERSION",
}

// matrixName is the name of a VM that a matrix made; its end is random.
var matrixName = regexp.MustCompile(`"(probe[^"]*)-[a-z2-7]{5}"`)

// measured are durations, sizes and times of day in texts for people.
var measured = regexp.MustCompile(`· \d+(?:\.\d+)? m?s\b|· \d+ MiB · \d\d:\d\d:\d\d|\d+(?:\.\d+)? m?s, .* of processor time, \d+ MiB, at [-\d]+ [:\d]+`)

// normalise replaces what differs from run to run and puts keys in order.
func normalise(t *testing.T, body string) string {
	var v any
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	replace(v)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	text := matrixName.ReplaceAllString(strings.TrimRight(b.String(), "\n"), `"$1-RANDOM"`)
	return measured.ReplaceAllString(text, "MEASURED")
}

func replace(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "jsonrpc")
		for key, value := range v {
			if instead, ok := varying[key]; ok && value != nil {
				v[key] = instead
				continue
			}
			replace(value)
		}
	case []any:
		for _, value := range v {
			replace(value)
		}
	}
}

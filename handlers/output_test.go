package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// listener is a client that writes down what it is told, and when.
type listener struct {
	start time.Time
	deaf  chan struct{} // while open, Notify blocks; nil = never

	mu    sync.Mutex
	heard []string
}

func (l *listener) Notify(ctx context.Context, method string, params any) error {
	if l.deaf != nil {
		select {
		case <-l.deaf:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	text, err := json.Marshal(params)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, fmt.Sprintf("%v %s %s", time.Since(l.start), method, text))
	return nil
}

func (l *listener) Call(context.Context, string, any, any) error {
	return errors.New("nobody answers")
}

// texts returns the texts that came for a stream.
func (l *listener) texts(t *testing.T, stream string) []string {
	t.Helper()
	var texts []string
	for _, line := range l.heard {
		var p struct {
			Value OutputChunk `json:"value"`
		}
		if err := json.Unmarshal([]byte(line[strings.Index(line, "{"):]), &p); err != nil {
			t.Fatal(err)
		}
		if p.Value.Stream == stream {
			texts = append(texts, p.Value.Text)
		}
	}
	return texts
}

func TestOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listener{start: time.Now()}
		o := NewOutput(t.Context(), l, json.RawMessage(`"tok"`))
		write := func(stream, text string) {
			t.Helper()
			if err := o.Write(stream, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.Start(7, 3); err != nil {
			t.Fatal(err)
		}
		write("stdout", "at once")
		write("stdout", " a")
		write("stdout", "b")
		write("stderr", "of its own")
		time.Sleep(time.Second)
		write("stdout", "after a pause")
		write("stdout", "the rest \xe2\x82")
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // nothing comes after Flush
		chunk := func(at time.Duration, stream, text string) string {
			return fmt.Sprintf(`%v $/progress {"token":"tok","value":{"executionId":7,"vmId":3,"stream":%q,"text":%q}}`, at, stream, text)
		}
		want := []string{
			`0s $/progress {"token":"tok","value":{"executionId":7}}`,
			chunk(0, "stdout", "at once"),
			chunk(0, "stderr", "of its own"),
			chunk(outputEvery, "stdout", " ab"),
			chunk(time.Second, "stdout", "after a pause"),
			chunk(time.Second, "stdout", "the rest \uFFFD"),
		}
		if diff := cmp.Diff(want, l.heard); diff != "" {
			t.Errorf("notifications (-want +got):\n%s", diff)
		}
	})
}

// TestOutputDecodes: the pieces in which bytes come make no difference.
func TestOutputDecodes(t *testing.T) {
	alphabet := []string{"a", "ü", "€", "🐧", "\x00", "\xff", "\xe2\x82", "\xf0\x9f", "\xed\xa0\x80", "\x80"}
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		var all strings.Builder
		for range 1 + random.IntN(12) {
			all.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		var d decoder
		var got []byte
		var pieces []string
		for rest := all.String(); rest != ""; {
			n := 1 + random.IntN(len(rest))
			pieces = append(pieces, rest[:n])
			got = d.append(got, []byte(rest[:n]))
			rest = rest[n:]
		}
		got = d.finish(got)
		if want := strings.ToValidUTF8(all.String(), "\uFFFD"); string(got) != want {
			t.Fatalf("%q became %q, want %q", pieces, got, want)
		}
	}
}

// TestOutputRate: a flood comes whole, in order, in few messages, and no sooner
// than allowed.
func TestOutputRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listener{start: time.Now()}
		o := NewOutput(t.Context(), l, json.RawMessage(`1`))
		line := strings.Repeat("0123456789abcde\n", 4096) // 64 KiB
		const lines = 160                                 // 10 MiB
		for range lines {
			if err := o.Write("stdout", []byte(line)); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		texts := l.texts(t, "stdout")
		if got := strings.Join(texts, ""); got != strings.Repeat(line, lines) {
			t.Errorf("%d bytes came, of %d, or others", len(got), lines*len(line))
		}
		if most := int(time.Since(l.start)/outputEvery) + 2; len(texts) > most {
			t.Errorf("%d messages in %v, at most %d were due", len(texts), time.Since(l.start), most)
		}
		for _, text := range texts {
			if len(text) > outputBuffer {
				t.Errorf("a message of %d bytes", len(text))
			}
		}
	})
}

// TestOutputHoldsBack: while the client does not read, Write blocks; when the
// request ends, it does not.
func TestOutputHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := &listener{start: time.Now(), deaf: make(chan struct{})}
		o := NewOutput(ctx, l, json.RawMessage(`1`))
		done := make(chan error)
		go func() { done <- o.Write("stdout", []byte("held back")) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Write returned %v while the client did not read", err)
		default:
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Write failed with %v", err)
		}
	})
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			work func(p *Progress, cancel func())
			want []string
		}{
			{"over in a blink", func(p *Progress, _ func()) {
				p.Report("half", 50)
				time.Sleep(99 * time.Millisecond)
			}, nil},
			{"silent", func(_ *Progress, _ func()) { time.Sleep(time.Second) }, []string{
				`100ms {"kind":"begin","title":"Pulling","cancellable":true}`,
				`1s {"kind":"end","message":"done"}`,
			}},
			{"fast reports", func(p *Progress, _ func()) {
				time.Sleep(time.Millisecond / 2) // never at the very moment of a report
				for i := range 250 {
					p.Report(fmt.Sprintf("layer %d", i), float64(i))
					time.Sleep(time.Millisecond)
				}
				p.Report("unpacking", -1)
				time.Sleep(time.Second)
			}, []string{
				`100ms {"kind":"begin","title":"Pulling","cancellable":true,"message":"layer 99","percentage":99}`,
				`200ms {"kind":"report","message":"layer 199","percentage":100}`,
				`300ms {"kind":"report","message":"unpacking"}`,
				`1.2505s {"kind":"end","message":"done"}`,
			}},
			{"cancelled", func(_ *Progress, cancel func()) {
				time.Sleep(150 * time.Millisecond)
				cancel()
			}, []string{
				`100ms {"kind":"begin","title":"Pulling","cancellable":true}`,
				`150ms {"kind":"end","message":"done"}`,
			}},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			l := &listener{start: time.Now()}
			p := NewProgress(l, json.RawMessage(`12345678901234`))
			p.Begin(ctx, "Pulling")
			c.work(p, cancel)
			p.End("done")
			cancel()
			var want []string
			for _, w := range c.want {
				at, value, _ := strings.Cut(w, " ")
				want = append(want, fmt.Sprintf(`%s $/progress {"token":12345678901234,"value":%s}`, at, value))
			}
			if diff := cmp.Diff(want, l.heard); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
	})
}

// TestWithoutToken: nobody has asked, nothing is said.
func TestWithoutToken(t *testing.T) {
	l := &listener{}
	p := NewProgress(l, nil)
	p.Begin(t.Context(), "x")
	p.Report("y", 1)
	p.End("z")
	o := NewOutput(t.Context(), l, nil)
	if err := errors.Join(o.Start(1, 1), o.Write("stdout", []byte("x")), o.Flush()); err != nil {
		t.Error(err)
	}
	if l.heard != nil {
		t.Errorf("heard %q", l.heard)
	}
}

package server

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// TestLog: records reach the client in order, after the answer to initialize.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text lockedBuffer
		log := NewLog(&text, slog.LevelInfo)
		slog := slog.New(log)
		p := serve(t, Options{Log: log})
		box := p.collect()
		slog.Info("before the beginning", "n", 1)
		p.send(`{"jsonrpc":"2.0","id":0,"method":"echo"}`)
		synctest.Wait()
		if frames := box.take(); len(frames) != 1 {
			t.Fatalf("sent before initialize: %q", frames)
		}
		p.send(initialize)
		synctest.Wait()
		slog.With("a", "b c").WithGroup("g").Warn("one\nline", "d", "e")
		slog.Debug("not said")
		synctest.Wait()
		p.send(`{"jsonrpc":"2.0","id":1,"method":"panic"}`)
		synctest.Wait()
		want := []string{
			`{"jsonrpc":"2.0","id":"init","result":{"capabilities":{}}}`,
			logged(3, `before the beginning n=1`),
			logged(2, `one\nline a=\"b c\" g.d=e`),
			logged(1, `panic method=panic value=\"the secret of the house\"`),
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error","data":{"kind":"internal","hint":"the server's log has more"}}}`,
		}
		got := box.take()
		if len(got) == 5 && strings.Contains(got[3], `"error"`) {
			got[3], got[4] = got[4], got[3] // replies do not wait for the log
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
		for _, want := range []string{`msg="before the beginning" n=1`, `a="b c" g.d=e`, "lab_test.go"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%q is not in the log:\n%s", want, text.String())
			}
		}
	})
}

func logged(level int, message string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"window/logMessage","params":{"type":%d,"message":"%s"}}`, level, message)
}

// TestLogNeverWaits: a client that does not read costs records, not time.
func TestLogNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(&lockedBuffer{}, slog.LevelInfo)
		p := serve(t, Options{Log: log})
		p.send(initialize)
		synctest.Wait()
		long := strings.Repeat("z", outboxSize/2)
		for i := range 3 * feedSize {
			slog.New(log).Info(fmt.Sprintf("record %d", i), "long", long[:len(long)/(i*i+1)])
			synctest.Wait()
		}
		box := p.collect()
		synctest.Wait()
		slog.New(log).Info("the last")
		synctest.Wait()
		var order []int
		said, last := 0, ""
		for _, frame := range box.take()[1:] {
			_, message, _ := strings.Cut(frame, `"message":"`)
			var n int
			if _, err := fmt.Sscanf(message, "%d log messages were left out", &n); err == nil {
				said += n
			} else if _, err := fmt.Sscanf(message, "record %d", &n); err == nil {
				order = append(order, n)
			}
			last = message
		}
		if said == 0 || said+len(order) != 3*feedSize {
			t.Errorf("%d records came, %d were said to be left out, of %d", len(order), said, 3*feedSize)
		}
		for i := range order {
			if order[i] != i {
				t.Fatalf("record %d came as number %d", order[i], i)
			}
		}
		if !strings.HasPrefix(last, "the last") {
			t.Errorf("last came %.100s", last)
		}
	})
}

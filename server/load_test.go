package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/handlers"
)

const initialize = `{"jsonrpc":"2.0","id":"init","method":"initialize","params":{}}`

// reply is a response, decoded.
type reply struct {
	ID     json.RawMessage
	Result json.RawMessage
	Error  *handlers.Error
}

func decodeReply(t *testing.T, frame string) reply {
	t.Helper()
	var r reply
	if err := json.Unmarshal([]byte(frame), &r); err != nil {
		t.Fatalf("%v in %.200s", err, frame)
	}
	return r
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestOversizedFrame streams a frame of 65 MiB, in bounded memory.
func TestOversizedFrame(t *testing.T) {
	p := serve(t, Options{})
	r := bufio.NewReader(p.out)
	p.send(initialize)
	next(t, r)

	const size, allowed = 65 << 20, 4 << 20
	head := `{"jsonrpc":"2.0","id":1,"method":"echo","params":["`
	chunk := strings.Repeat("x", 1<<20)
	before, most := heap(), uint64(0)
	p.write(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, head))
	got := next(t, r) // the refusal does not wait for the frame's end
	for left := size - len(head); left > 0; {
		n := min(left, len(chunk))
		p.write(chunk[:n])
		left -= n
		if left%(8<<20) < len(chunk) {
			most = max(most, heap())
		}
	}
	if most > before+allowed {
		t.Errorf("the heap grew from %d to %d bytes", before, most)
	}
	want := `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"the message is 68157440 bytes long; at most 67108864 are taken"}}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.send(`{"jsonrpc":"2.0","id":2,"method":"echo","params":["alive"]}`)
	if got, want := next(t, r), `{"jsonrpc":"2.0","id":2,"result":["alive"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAnnouncedFrame takes memory for what has come, not for what is to come.
func TestAnnouncedFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, Options{})
		before := heap()
		p.write(fmt.Sprintf("Content-Length: %d\r\n\r\n{", maxFrame))
		synctest.Wait()
		if after := heap(); after > before+1<<20 {
			t.Errorf("the heap grew from %d to %d bytes", before, after)
		}
		_ = p.in.Close()
		box := p.collect()
		<-p.ended
		synctest.Wait()
		want := []string{`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the input ended within a message"}}`}
		if diff := cmp.Diff(want, box.take()); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
	})
}

// TestLargestFrame takes a message of exactly 64 MiB.
func TestLargestFrame(t *testing.T) {
	p := serve(t, Options{})
	r := bufio.NewReader(p.out)
	p.send(initialize)
	next(t, r)
	head, tail := `{"jsonrpc":"2.0","id":1,"method":"nothing","params":["`, `"]}`
	p.send(head + strings.Repeat("x", maxFrame-len(head)-len(tail)) + tail)
	if got, want := next(t, r), `{"jsonrpc":"2.0","id":1,"result":null}`; got != want {
		t.Errorf("got %.200s, want %s", got, want)
	}
}

func next(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	frame, err := readFrame(r)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestClientThatDoesNotRead holds the program back, not the messages in memory.
func TestClientThatDoesNotRead(t *testing.T) {
	const notes, size = 5_000, 10_000 // 50 MB in all
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, Options{})
		before := heap()
		p.send(initialize)
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tell","params":{"n":%d,"size":%d}}`, notes, size))
		p.send(`{"jsonrpc":"2.0","id":2,"method":"hold","params":{"name":"other"}}`)
		synctest.Wait()
		if after := heap(); after > before+2*outboxSize {
			t.Errorf("the heap grew from %d to %d bytes", before, after)
		}
		if told := p.lab.told.Load(); told == 0 || told > 2*outboxSize/size {
			t.Errorf("%d notifications were taken while nobody read", told)
		}
		// The server hears the client all the same.
		p.send(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}`)

		r := bufio.NewReader(p.out)
		next(t, r)
		for told, cancelled := 0, false; told < notes || !cancelled; {
			frame := next(t, r)
			switch {
			case strings.HasPrefix(frame, fmt.Sprintf(`{"jsonrpc":"2.0","method":"client/note","params":{"i":%d,`, told)):
				told++
			case strings.HasPrefix(frame, `{"jsonrpc":"2.0","id":2,"error":{"code":-32800,`):
				cancelled = true
			default:
				t.Fatalf("after %d notifications: %.200s", told, frame)
			}
		}
		if got, want := next(t, r), `{"jsonrpc":"2.0","id":1,"result":5000}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestCancelWhileClientDoesNotRead ends a handler that waits for the client.
func TestCancelWhileClientDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, Options{})
		p.send(initialize)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"tell","params":{"n":100000,"size":10000}}`)
		synctest.Wait()
		p.send(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}`)
		synctest.Wait()
		if told := p.lab.told.Load(); told > 2*outboxSize/10000 {
			t.Errorf("%d notifications were taken while nobody read", told)
		}
		box := p.collect()
		synctest.Wait()
		frames := box.take()
		want := `{"jsonrpc":"2.0","id":1,"error":{"code":-32800,"message":"the request was cancelled"}}`
		if got := frames[len(frames)-1]; got != want {
			t.Errorf("got %.200s, want %s", got, want)
		}
	})
}

// TestClientGone fails what wants to write, and ends.
func TestClientGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, Options{})
		p.send(initialize)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"tell","params":{"n":100000,"size":10000}}`)
		synctest.Wait()
		closed := time.Now()
		_ = p.out.Close()
		<-p.ended
		if took := time.Since(closed); took != 0 {
			t.Errorf("writers were told after %v", took)
		}
		if p.ending.Cause != Gone || p.err == nil {
			t.Errorf("ended with %q, %v", p.ending.Cause, p.err)
		}
	})
}

// TestStuckClient is drained in bounded time, although nothing can be written.
func TestStuckClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, Options{})
		p.send(initialize)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"tell","params":{"n":100000,"size":10000}}`)
		synctest.Wait()
		_ = p.in.Close()
		<-p.ended
		if p.ending.Cause != EndOfInput {
			t.Errorf("ended with %q", p.ending.Cause)
		}
	})
}

// TestInterleaved sends 1,000 requests in pieces of any size while the answers
// come back.
func TestInterleaved(t *testing.T) {
	const requests = 1000
	p := serve(t, Options{})
	random := rand.New(rand.NewPCG(1, 2))
	var input strings.Builder
	input.WriteString(framed(initialize))
	for i := range requests {
		input.WriteString(framed(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"echo","params":[%d,%q]}`,
			i, i, strings.Repeat("y", random.IntN(5000)))))
	}
	go func() {
		for rest := input.String(); rest != ""; {
			n := min(len(rest), 1+random.IntN(3000))
			_, _ = io.WriteString(p.in, rest[:n])
			rest = rest[n:]
		}
	}()
	r := bufio.NewReader(p.out)
	next(t, r)
	seen := map[string]bool{}
	for range requests {
		got := decodeReply(t, next(t, r))
		if !strings.HasPrefix(string(got.Result), "["+string(got.ID)+",") || seen[string(got.ID)] {
			t.Fatalf("id %s: %.100s, seen %v", got.ID, got.Result, seen[string(got.ID)])
		}
		seen[string(got.ID)] = true
	}
}

// TestManyRequests: beyond maxRunning they wait and can be cancelled, and beyond
// what may wait they are refused.
func TestManyRequests(t *testing.T) {
	const sent = maxRunning + arrivalsSize/arrivalOverhead + 10
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, Options{})
		box := p.collect()
		p.send(initialize)
		synctest.Wait()
		box.take()
		for i := range sent {
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"hold","params":{"name":"a"}}`, i))
			if i == maxRunning {
				synctest.Wait()
			}
		}
		synctest.Wait()
		if running := p.lab.holding.Load(); running != maxRunning {
			t.Errorf("%d run at once, want %d", running, maxRunning)
		}
		outcomes := map[int64]int{}
		count := func() {
			for _, frame := range box.take() {
				code := int64(0)
				if r := decodeReply(t, frame); r.Error != nil {
					code = r.Error.Code
				}
				outcomes[code]++
			}
		}
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%d}}`, maxRunning+5))
		synctest.Wait()
		count()
		// Some more than 10, because params weigh too.
		refused := outcomes[codeBusy]
		if refused < 10 || refused > 100 || outcomes[handlers.CodeRequestCancelled] != 1 {
			t.Errorf("outcomes while all wait: %v", outcomes)
		}
		p.lab.open("a")
		synctest.Wait()
		count()
		want := map[int64]int{0: sent - 1 - refused, codeBusy: refused, handlers.CodeRequestCancelled: 1}
		if diff := cmp.Diff(want, outcomes); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
	})
}

// TestWaitingIsServed at the end of input, as long as there is grace.
func TestWaitingIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, Options{Grace: time.Minute})
		box := p.collect()
		p.send(initialize)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"document/hold","params":{"name":"a"}}`)
		p.send(`{"jsonrpc":"2.0","id":2,"method":"echo","params":["waited"]}`)
		_ = p.in.Close()
		time.Sleep(59 * time.Second)
		p.lab.open("a")
		<-p.ended
		synctest.Wait()
		want := []string{
			`{"jsonrpc":"2.0","id":"init","result":{"capabilities":{}}}`,
			`{"jsonrpc":"2.0","id":1,"result":"a"}`,
			`{"jsonrpc":"2.0","id":2,"result":["waited"]}`,
		}
		if diff := cmp.Diff(want, box.take()); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
	})
}

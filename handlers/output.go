package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// outputEvery is the least time between two messages of one stream.
	outputEvery = 4 * time.Millisecond
	// outputBuffer is how many bytes of a stream wait for their turn, before
	// the program does.
	outputBuffer = 512 << 10
)

// Output sends what a program writes to a client as it comes: $/progress under
// the partialResultToken of the request. Small pieces that come close together go
// out as one; the first after a pause goes out at once. While the client does
// not read, Write blocks. Without a token everything here does nothing.
//
// The text of a stream is what it would be if all its bytes were decoded
// together: characters stay whole, and a run of invalid bytes becomes one U+FFFD.
type Output struct {
	ctx    context.Context
	client Client
	token  json.RawMessage

	mu          sync.Mutex // guards what follows, not the streams themselves
	executionID int64
	vmID        int64
	streams     map[string]*outputStream
}

// outputStream is one stream of an execution.
type outputStream struct {
	o    *Output
	name string

	mu      sync.Mutex // held while sending: that keeps the order
	decoder decoder
	text    []byte // valid UTF-8, not sent yet
	sent    time.Time
	timer   *time.Timer // will send text; nil when none is running
}

// NewOutput returns an Output under that token, which may be empty. When ctx
// ends, nothing waits for the client any more: what it has no room for is
// dropped.
func NewOutput(ctx context.Context, client Client, token json.RawMessage) *Output {
	return &Output{ctx: ctx, client: client, token: token, streams: map[string]*outputStream{}}
}

// Start names the execution, and tells its id, alone, to the client. It comes
// before Write.
func (o *Output) Start(executionID, vmID int64) error {
	if len(o.token) == 0 {
		return nil
	}
	o.mu.Lock()
	o.executionID, o.vmID = executionID, vmID
	o.mu.Unlock()
	return notifyProgress(o.ctx, o.client, o.token, struct {
		ExecutionID int64 `json:"executionId"`
	}{executionID})
}

// Write takes bytes of a stream, "stdout" or "stderr"; they are the caller's
// again afterwards. It fails when they could not be sent, because the context
// has ended or the client is gone; later bytes may be written nevertheless.
func (o *Output) Write(stream string, p []byte) error {
	if len(o.token) == 0 {
		return nil
	}
	s := o.stream(stream)
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		n := min(len(p), outputBuffer-len(s.text)) // above 0: what is full has been sent
		s.text = s.decoder.append(s.text, p[:n])
		p = p[n:]
		if err := s.schedule(); err != nil {
			return err
		}
	}
	return nil
}

// Flush sends what has not been sent, also what turns out to be no character.
// Nothing is written after it.
func (o *Output) Flush() error {
	o.mu.Lock()
	streams := slices.Collect(maps.Values(o.streams))
	o.mu.Unlock()
	var failed error
	for _, s := range streams {
		s.mu.Lock()
		s.text = s.decoder.finish(s.text)
		failed = errors.Join(failed, s.send())
		s.mu.Unlock()
	}
	return failed
}

func (o *Output) stream(name string) *outputStream {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.streams[name]
	if s == nil {
		s = &outputStream{o: o, name: name}
		o.streams[name] = s
	}
	return s
}

// schedule, with mu held, sends the text now if that is due, and else later; if
// there is no room for more, it waits for that moment.
func (s *outputStream) schedule() error {
	wait := outputEvery - time.Since(s.sent)
	if wait > 0 && len(s.text) < outputBuffer {
		if s.timer == nil {
			s.timer = time.AfterFunc(wait, s.sendLater)
		}
		return nil
	}
	s.stopTimer()
	if wait > 0 {
		s.pause(wait)
	}
	return s.send()
}

// pause waits, unless nobody waits for the output any more.
func (s *outputStream) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.o.ctx.Done():
	}
}

func (s *outputStream) sendLater() {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The next Write, or Flush, fails as this does.
	_ = s.send()
}

// send, with mu held, sends the text, if there is any, and forgets it.
func (s *outputStream) send() error {
	s.stopTimer()
	if len(s.text) == 0 {
		return nil
	}
	s.o.mu.Lock()
	chunk := OutputChunk{ExecutionID: s.o.executionID, VMID: s.o.vmID, Stream: s.name, Text: string(s.text)}
	s.o.mu.Unlock()
	s.text = s.text[:0]
	err := notifyProgress(s.o.ctx, s.o.client, s.o.token, chunk)
	s.sent = time.Now()
	return err
}

func (s *outputStream) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// decoder makes valid UTF-8 of bytes that come in pieces.
type decoder struct {
	partial []byte // the beginning of a character
	broken  bool   // the last thing decoded was invalid
}

// append appends the text of p to dst. The beginning of a character at p's end
// waits for its rest.
func (d *decoder) append(dst, p []byte) []byte {
	if len(d.partial) > 0 {
		p = append(d.partial, p...)
	}
	whole := wholeCharacters(p)
	p, d.partial = p[:whole], bytes.Clone(p[whole:])
	if utf8.Valid(p) {
		d.broken = d.broken && len(p) == 0
		return append(dst, p...)
	}
	for len(p) > 0 {
		r, size := utf8.DecodeRune(p)
		if r == utf8.RuneError && size == 1 {
			dst = d.replace(dst)
		} else {
			dst, d.broken = append(dst, p[:size]...), false
		}
		p = p[size:]
	}
	return dst
}

// finish appends what is left when no more bytes come.
func (d *decoder) finish(dst []byte) []byte {
	if len(d.partial) > 0 {
		dst, d.partial = d.replace(dst), nil
	}
	return dst
}

func (d *decoder) replace(dst []byte) []byte {
	if d.broken {
		return dst
	}
	d.broken = true
	return utf8.AppendRune(dst, utf8.RuneError)
}

// wholeCharacters returns the length of p without the beginning of a character
// at its end.
func wholeCharacters(p []byte) int {
	for i := len(p) - 1; i >= max(0, len(p)-utf8.UTFMax+1); i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				return i
			}
			break
		}
	}
	return len(p)
}

package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.lsp.dev/protocol"
)

const (
	// feedSize is how many log records wait for the client.
	feedSize = 1024
	// feedGrace is how long the last of them may take.
	feedGrace = time.Second
	// stackKey is the attribute that the client never sees.
	stackKey = "stack"
)

// Log is the slog.Handler of a program that serves. Every record is written as
// text, and goes to the client that is being served as a window/logMessage, in
// order, once it has been initialized; earlier records wait for that. Logging
// never waits for the client: when it is too slow, records are left out, and
// their number is said.
type Log struct {
	text   slog.Handler
	client slog.Handler // formats into feed.line
	feed   *feed
}

// NewLog returns a Log that writes records of at least that level to w.
func NewLog(w io.Writer, level slog.Leveler) *Log {
	f := &feed{ready: make(chan struct{}, 1)}
	return &Log{
		text: slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}),
		client: slog.NewTextHandler(&f.line, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			switch {
			case len(groups) > 0:
				return a
			case a.Key == slog.TimeKey, a.Key == slog.LevelKey, a.Key == slog.MessageKey, a.Key == stackKey:
				return slog.Attr{}
			}
			return a
		}}),
		feed: f,
	}
}

// Enabled implements slog.Handler.
func (l *Log) Enabled(ctx context.Context, level slog.Level) bool { return l.text.Enabled(ctx, level) }

// WithAttrs implements slog.Handler.
func (l *Log) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Log{text: l.text.WithAttrs(attrs), client: l.client.WithAttrs(attrs), feed: l.feed}
}

// WithGroup implements slog.Handler.
func (l *Log) WithGroup(name string) slog.Handler {
	return &Log{text: l.text.WithGroup(name), client: l.client.WithGroup(name), feed: l.feed}
}

// Handle implements slog.Handler.
func (l *Log) Handle(ctx context.Context, r slog.Record) error {
	l.feed.add(ctx, l.client, r)
	return l.text.Handle(ctx, r)
}

// logger returns a Logger for l; one that discards for nil.
func (l *Log) logger() *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(l)
}

// notifier is what a feed needs of a client.
type notifier interface {
	Notify(ctx context.Context, method string, params any) error
}

// attach sends the records to a client, once ready is closed. The function
// returned sends those that are left, for a short time at most, and ends it for
// good.
func (l *Log) attach(to notifier, ready <-chan struct{}) (stop func()) {
	if l == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ready:
			l.feed.pump(ctx, to)
		case <-stopped:
		}
	}()
	return func() {
		l.feed.end()
		close(stopped)
		timer := time.AfterFunc(feedGrace, cancel)
		<-done
		timer.Stop()
		cancel()
	}
}

// feed is the queue of records for the client.
type feed struct {
	ready chan struct{} // holds a token when something may have come

	mu      sync.Mutex
	line    bytes.Buffer // the record being formatted
	records []protocol.LogMessageParams
	dropped int // since the last of records
	ended   bool
}

func (f *feed) add(ctx context.Context, format slog.Handler, r slog.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ended:
		return
	case len(f.records) >= feedSize:
		f.dropped++
		return
	}
	f.line.Reset()
	// It writes to a buffer.
	_ = format.Handle(ctx, r)
	f.sayDropped()
	text := strings.TrimSpace(r.Message + " " + f.line.String())
	f.records = append(f.records, protocol.LogMessageParams{Type: messageType(r.Level), Message: text})
	f.wake()
}

// sayDropped, with the lock held, queues how many records were left out.
func (f *feed) sayDropped() {
	if f.dropped > 0 {
		text := fmt.Sprintf("%d log messages were left out: the client reads too slowly", f.dropped)
		f.records = append(f.records, protocol.LogMessageParams{Type: protocol.MessageTypeWarning, Message: text})
		f.dropped = 0
	}
}

func (f *feed) wake() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

func (f *feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.wake()
}

// take returns the oldest record; ok is false when there is none, ended when
// none will come.
func (f *feed) take() (record protocol.LogMessageParams, ok, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.records) == 0 {
		f.sayDropped()
	}
	if len(f.records) == 0 {
		return record, false, f.ended
	}
	record = f.records[0]
	f.records = f.records[1:]
	return record, true, false
}

func (f *feed) pump(ctx context.Context, to notifier) {
	for {
		record, ok, ended := f.take()
		switch {
		case ended:
			return
		case !ok:
			<-f.ready
			continue
		}
		if to.Notify(ctx, protocol.MethodWindowLogMessage, record) != nil {
			f.end()
			return
		}
	}
}

func messageType(level slog.Level) protocol.MessageType {
	switch {
	case level >= slog.LevelError:
		return protocol.MessageTypeError
	case level >= slog.LevelWarn:
		return protocol.MessageTypeWarning
	case level >= slog.LevelInfo:
		return protocol.MessageTypeInfo
	default:
		return protocol.MessageTypeDebug
	}
}

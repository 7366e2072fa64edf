package handlers

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"go.lsp.dev/protocol"
)

const (
	// progressAfter is how long work may take before its progress is shown.
	progressAfter = 100 * time.Millisecond
	// progressEvery is the least time between two reports.
	progressEvery = 100 * time.Millisecond
)

// Progress tells a client how one request goes on: work-done progress under the
// token that the request's params carried. What is over in a blink is not
// mentioned, and of reports that come too fast the latest counts. Without a
// token everything here does nothing. Begin comes first and End last, each once.
type Progress struct {
	client Client
	token  json.RawMessage
	stop   chan struct{} // closed by End
	done   chan struct{} // closed when the last notification is out

	mu      sync.Mutex
	message string
	percent float64
	changed chan struct{} // holds a token when there is something new to report
	last    string        // End's message
}

// NewProgress returns a Progress under that token, which may be empty.
func NewProgress(client Client, token json.RawMessage) *Progress {
	return &Progress{
		client: client, token: token, percent: -1,
		stop: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}, 1),
	}
}

// Begin says that the work begins, and what it is. The title is shown only if
// the work takes longer than 100 ms.
func (p *Progress) Begin(ctx context.Context, title string) {
	if len(p.token) > 0 {
		go p.run(ctx, title)
	}
}

// Report says what is being done and how far it is, 0 to 100, or negative when
// unknown. It does not block, and may be called from several goroutines; it is a
// runtime.Progress.
func (p *Progress) Report(message string, percent float64) {
	p.mu.Lock()
	p.message, p.percent = message, percent
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// End says that the work is over, with a message that may be empty, and returns
// when the client has been sent that. It does so also when the context given to
// Begin has ended.
func (p *Progress) End(message string) {
	if len(p.token) == 0 {
		return
	}
	p.last = message
	close(p.stop)
	<-p.done
}

func (p *Progress) run(ctx context.Context, title string) {
	defer close(p.done)
	if !p.pause(progressAfter) || p.begin(ctx, title) != nil {
		return
	}
	for p.pause(progressEvery) && p.news() {
		// Who does not hear of a report will hear of the next one.
		_ = p.report(ctx)
	}
	_ = p.notify(context.WithoutCancel(ctx), protocol.WorkDoneProgressEnd{Kind: "end", Message: optional(p.last)})
}

// pause waits, and reports false when the work was over before.
func (p *Progress) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.stop:
		return false
	}
}

// news waits for something to report, and reports false when the work was over
// before.
func (p *Progress) news() bool {
	select {
	case <-p.changed:
		return true
	case <-p.stop:
		return false
	}
}

func (p *Progress) begin(ctx context.Context, title string) error {
	message, percent := p.latest()
	cancellable := true
	return p.notify(ctx, protocol.WorkDoneProgressBegin{
		Kind: "begin", Title: title, Cancellable: &cancellable, Message: message, Percentage: percent,
	})
}

func (p *Progress) report(ctx context.Context) error {
	message, percent := p.latest()
	return p.notify(ctx, protocol.WorkDoneProgressReport{Kind: "report", Message: message, Percentage: percent})
}

// latest returns what is to be reported; nil is what is not known.
func (p *Progress) latest() (message *string, percentage *uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.percent >= 0 {
		whole := uint32(min(p.percent, 100))
		percentage = &whole
	}
	return optional(p.message), percentage
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (p *Progress) notify(ctx context.Context, value any) error {
	return notifyProgress(ctx, p.client, p.token, value)
}

// notifyProgress sends $/progress. The token goes back as it came, which
// protocol.ProgressParams, whose integers have 32 bits, would not do.
func notifyProgress(ctx context.Context, client Client, token json.RawMessage, value any) error {
	text, err := protocol.Marshal(value)
	if err != nil {
		return err
	}
	return client.Notify(ctx, protocol.MethodProgress, progressParams{token, text})
}

type progressParams struct {
	Token json.RawMessage `json:"token"`
	Value json.RawMessage `json:"value"`
}

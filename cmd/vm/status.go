package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
)

const (
	statusDelay = 200 * time.Millisecond // on top of the 100 ms after which progress begins at all
	statusEvery = 100 * time.Millisecond
)

// statusLine shows on a terminal what something slow is at, in one line that is
// gone afterwards. Elsewhere it shows nothing. Safe for concurrent use.
type statusLine struct {
	file   *os.File
	active bool // the file is a terminal

	mu      sync.Mutex // guards what follows, and what is written to the terminal
	title   string
	message string
	percent *float64
	since   time.Time
	drawn   bool
	frame   int
	stop    chan struct{} // ends the drawing; nil while nothing is shown
}

func newStatusLine(file *os.File, active bool) *statusLine {
	return &statusLine{file: file, active: active}
}

// begin starts to show that something is going on, after statusDelay.
func (s *statusLine) begin(title string) {
	if !s.active {
		return
	}
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.title, s.message, s.percent, s.since = title, "", nil, time.Now()
	s.stop = make(chan struct{})
	go s.draw(s.stop)
}

// step tells how far it is; percent may be nil.
func (s *statusLine) step(message string, percent *float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if message != "" {
		s.message = message
	}
	s.percent = percent
}

// end takes the line away. It may be repeated.
func (s *statusLine) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		close(s.stop)
		s.stop = nil
	}
	s.clearLocked()
}

func (s *statusLine) draw(stop chan struct{}) {
	wait := time.NewTimer(statusDelay)
	defer wait.Stop()
	for {
		select {
		case <-stop:
			return
		case <-wait.C:
		}
		s.mu.Lock()
		if s.stop == stop {
			s.drawLocked()
		}
		s.mu.Unlock()
		wait.Reset(statusEvery)
	}
}

func (s *statusLine) drawLocked() {
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	text := fmt.Sprintf("%c %s", frames[s.frame%len(frames)], s.title)
	s.frame++
	if s.message != "" {
		text += " · " + show.Line(s.message)
	}
	if s.percent != nil {
		text += fmt.Sprintf(" · %.0f %%", *s.percent)
	}
	if waited := time.Since(s.since); waited >= time.Second {
		text += fmt.Sprintf(" · %d s", int(waited.Seconds()))
	}
	if width, _, err := term.GetSize(int(s.file.Fd())); err == nil {
		text = show.Short(text, width-1)
	}
	fmt.Fprintf(s.file, "\r%s\x1b[K", text) // CR, the text, erase to the end of line (ECMA-48)
	s.drawn = true
}

func (s *statusLine) clearLocked() {
	if s.drawn {
		fmt.Fprint(s.file, "\r\x1b[K")
		s.drawn = false
	}
}

// above is w with the status line out of the way while something is written.
func (s *statusLine) above(w io.Writer) io.Writer { return aboveWriter{s, w} }

type aboveWriter struct {
	status *statusLine
	w      io.Writer
}

func (a aboveWriter) Write(p []byte) (int, error) {
	a.status.mu.Lock()
	defer a.status.mu.Unlock()
	a.status.clearLocked()
	return a.w.Write(p)
}

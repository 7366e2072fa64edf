package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// coloured says whether standard output is a terminal that wants colours.
var coloured = term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""

func paint(sgr, text string) string {
	if !coloured {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

func bold(s string) string  { return paint("1", s) }
func dim(s string) string   { return paint("2", s) }
func red(s string) string   { return paint("31", s) }
func green(s string) string { return paint("32", s) }
func cyan(s string) string  { return paint("36", s) }

// printing keeps lines of requests that run side by side whole.
var printing sync.Mutex

func say(format string, args ...any) {
	printing.Lock()
	defer printing.Unlock()
	fmt.Printf("   "+format+"\n", args...)
}

// chapter begins a part of the story.
func chapter(title string) {
	printing.Lock()
	defer printing.Unlock()
	fmt.Printf("\n%s\n", bold(title))
}

// sent shows a request.
func sent(method string, params any) {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(params); err != nil {
		panic(err) // the story's params are plain
	}
	say("%s %s %s", cyan("→"), method, dim(short(strings.TrimSpace(text.String()), 100-len(method))))
}

// got shows what came of it, and after how long.
func got(since time.Time, format string, args ...any) {
	say("%s %s %s", green("←"), fmt.Sprintf(format, args...), dim("· "+span(time.Since(since))))
}

func short(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// inLine shows a program's output in one line.
func inLine(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", " ⏎ ")
}

// lineWise takes output in pieces and gives it back in lines.
type lineWise struct {
	pieces int
	text   string
	shown  int // bytes of text that were given back
}

func (l *lineWise) add(piece string) (lines []string) {
	if piece == "" {
		return nil
	}
	l.pieces++
	l.text += piece
	for {
		line, _, whole := strings.Cut(l.text[l.shown:], "\n")
		if !whole {
			return lines
		}
		lines = append(lines, line)
		l.shown += len(line) + 1
	}
}

// Package show lays text out for a person in a terminal: tables that fit it,
// colours, times and sizes. It only formats; it neither asks nor decides.
package show

import (
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// Width is how many columns of a terminal a text takes.
func Width(s string) int { return metric.StringWidth(s) }

// metric measures the same way everywhere: the widths do not depend on the
// locale of who runs the tests.
var metric = &runewidth.Condition{StrictEmojiNeutral: true}

// Short cuts a text to a width, with an ellipsis where something was cut.
func Short(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	if width <= 1 {
		return strings.Repeat("…", max(width, 0))
	}
	return metric.Truncate(s, width, "…")
}

// Line makes text that came from anywhere fit for one line of a terminal: its
// first line with any ink, control characters shown as dots so that none of them
// takes effect.
func Line(s string) string {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			return inert(line)
		}
	}
	return ""
}

// inert replaces what a terminal would act upon.
func inert(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return '·'
		}
		return r
	}, s)
}

// Wrap breaks a text into lines between words; a width of 0 or less leaves it in
// one. A longer word has a line of its own.
func Wrap(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case width > 0 && Width(line)+1+Width(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

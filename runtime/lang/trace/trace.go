// Package trace reads what compilers and failing programs say about places in
// their sources: error messages and stack traces, each in the form of its
// toolchain. A Reader is a pure function of text; the forms are those that the
// toolchains print, of which testdata has examples.
package trace

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Severity of a Problem.
type Severity int

// Severities.
const (
	Error Severity = iota
	Warning
	Note
)

// Problem is one complaint.
type Problem struct {
	Severity Severity
	Message  string  // its first line, without the place
	Places   []Place // innermost first; never empty
}

// Place is a position in a source.
type Place struct {
	File     string // as it was printed; empty where the toolchain names none
	Line     int    // one-based
	Column   int    // one-based, in units of Unit; 0 = not said
	End      int    // column behind the last one marked; 0 = not said
	Unit     Unit
	Function string // that the place is in; empty = not said
}

// Unit is what a column counts.
type Unit int

// Units.
const (
	Runes   Unit = iota
	Bytes        // of UTF-8
	UTF16        // code units
	Trimmed      // runes from the line's first one that is no blank
)

// Reader finds the problems in a text, in the order in which it has them.
type Reader func(text string) []Problem

// Most is how many problems a Reader returns at most: more than anybody reads.
const Most = 100

// pattern compiles an expression when it is first used: few programs need many.
func pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// cursor goes through the lines of a text.
type cursor struct {
	lines []string
	at    int
}

func read(text string) *cursor {
	return &cursor{lines: strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), at: -1}
}

// next goes to the next line, if there is one.
func (c *cursor) next() bool {
	c.at++
	return c.at < len(c.lines)
}

func (c *cursor) line() string { return c.peek(0) }

// peek is the line that many lines on; empty beyond the end.
func (c *cursor) peek(n int) string {
	if at := c.at + n; at >= 0 && at < len(c.lines) {
		return c.lines[at]
	}
	return ""
}

// match returns the groups of the expression in the line.
func (c *cursor) match(p func() *regexp.Regexp) []string { return p().FindStringSubmatch(c.line()) }

// number reads what an expression matched as digits; 0 where there are none.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// marked returns the one-based columns, in runes, that a line of carets and the
// like marks: the first, and the one behind the last. It fails on any other line.
func marked(line string) (first, end int, ok bool) {
	runes := []rune(line)
	for i, r := range runes {
		switch {
		case r == ' ' || r == '\t':
			if first > 0 {
				return first, i + 1, true
			}
		case r == '^' || r == '~':
			if first == 0 {
				first = i + 1
			}
		default:
			return 0, 0, false
		}
	}
	return first, len(runes) + 1, first > 0
}

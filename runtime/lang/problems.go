package lang

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/itechsmart/vm/runtime/lang/trace"
)

// Severity of a Problem.
type Severity = trace.Severity

// Severities.
const (
	Error   = trace.Error
	Warning = trace.Warning
	Note    = trace.Note
)

// Problem is a complaint of a toolchain or a failing program about a place in
// the code of an execution.
type Problem struct {
	Severity Severity
	Message  string
	At       Place
	Calls    []Place // how the program got there, innermost first; At is not among them
}

// Place is a range in a line of a source.
type Place struct {
	File       string // below the scratch folder; empty = the code itself
	Line       int    // zero-based
	Start, End int    // UTF-16 code units; the whole line where no column is known
	Function   string // that it is in; empty = not known
}

// Ran is what an execution ran, as far as its messages tell of it.
type Ran struct {
	ID       string // Run.ID
	FileName string // PlanOptions.FileName
	Code     []byte
	Session  bool // a session's interpreter ran it
}

// Problems reads what an execution of this language wrote to its standard error.
// Of places it keeps those in the code, and in files that were placed with it.
func (l Language) Problems(ran Ran, stderr []byte) []Problem {
	if len(stderr) == 0 {
		return nil
	}
	messages := l.Messages
	if messages == nil {
		messages = trace.GCC
	}
	r := resolver{
		scratch: scratchOf(PlanOptions{ID: ran.ID}) + "/",
		source:  l.sourceName(ran),
		lines:   strings.Split(string(ran.Code), "\n"),
	}
	var problems []Problem
	for _, found := range messages(string(stderr)) {
		if p, ok := r.problem(found); ok {
			problems = append(problems, p)
		}
	}
	return problems
}

// sourceName is the name under which the code was placed.
func (l Language) sourceName(ran Ran) string {
	source := &Source{FileName: l.fileName(ran.FileName), Code: ran.Code}
	if l.Prepare != nil && !ran.Session {
		l.Prepare(source)
	}
	return source.FileName
}

// resolver finds the caller's places among those that a toolchain speaks of.
type resolver struct {
	scratch, source string
	lines           []string
}

func (r resolver) problem(found trace.Problem) (Problem, bool) {
	p := Problem{Severity: found.Severity, Message: found.Message}
	known := false
	for _, at := range found.Places {
		place, ok := r.place(at)
		switch {
		case !ok:
		case !known:
			p.At, known = place, true
		case place.File != p.At.File || place.Line != p.At.Line || len(p.Calls) > 0:
			p.Calls = append(p.Calls, place)
		default: // the same line once more, for what was called from it
			p.At.Function = place.Function
		}
	}
	return p, known
}

func (r resolver) place(at trace.Place) (Place, bool) {
	file, inScratch := strings.CutPrefix(at.File, r.scratch)
	ours := inScratch || !strings.Contains(at.File, "/") && (at.File == "" || at.File == r.source)
	if !ours || at.Line < 1 {
		return Place{}, false
	}
	place := Place{Line: at.Line - 1, Function: at.Function}
	if file = path.Clean(file); at.File != "" && file != r.source {
		place.File = file
		if at.Column > 0 && at.Unit != trace.Trimmed {
			place.Start = at.Column - 1
			place.End = place.Start + 1
		}
		return place, true
	}
	// A message may tell of the end of the file, which is behind the last line.
	place.Line = min(place.Line, len(r.lines)-1)
	for place.Line > 0 && strings.TrimSpace(r.lines[place.Line]) == "" {
		place.Line--
	}
	place.Start, place.End = span(strings.TrimSuffix(r.lines[place.Line], "\r"), at)
	return place, true
}

// span is the range in a line that a place marks: from its column to its end, or
// to the end of the word there; or all of the line but its blanks.
func span(line string, at trace.Place) (start, end int) {
	trimmed := strings.TrimLeftFunc(line, unicode.IsSpace)
	indent := len(line) - len(trimmed)
	if at.Column == 0 {
		return units(line[:indent]), units(strings.TrimRightFunc(line, unicode.IsSpace))
	}
	from := offset(line, at.Column-1, at.Unit)
	to := wordEnd(line, from)
	if at.End > at.Column {
		to = offset(line, at.End-1, at.Unit)
	}
	if from == len(line) && from > 0 { // behind the last character: mark that one
		_, size := utf8.DecodeLastRuneInString(line)
		from -= size
	}
	return units(line[:from]), units(line[:max(from, to)])
}

// offset is the byte at which that many units of a line are over.
func offset(line string, count int, unit trace.Unit) int {
	switch unit {
	case trace.Bytes:
		return min(count, len(line))
	case trace.Trimmed:
		trimmed := strings.TrimLeftFunc(line, unicode.IsSpace)
		indent := len(line) - len(trimmed)
		return indent + offset(trimmed, count, trace.Runes)
	}
	for i, r := range line {
		if count <= 0 {
			return i
		}
		count--
		if unit == trace.UTF16 && utf16.RuneLen(r) == 2 {
			count--
		}
	}
	return len(line)
}

// wordEnd is the byte behind the word, or else the character, at from.
func wordEnd(line string, from int) int {
	to := from
	for i, r := range line[from:] {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
			if i == 0 {
				to += utf8.RuneLen(r)
			}
			break
		}
		to = from + i + utf8.RuneLen(r)
	}
	return min(to, len(line))
}

// units counts UTF-16 code units.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

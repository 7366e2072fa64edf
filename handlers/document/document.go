// Package document keeps the texts that an editor has open, and finds in them
// what can be run: a selection made whole, cells, blocks of Markdown, main
// functions. It knows no VM and no wire.
package document

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// Position in a text, as LSP has it: zero-based, in UTF-16 code units.
type Position struct{ Line, Character int }

// Range from Start up to, but not including, End.
type Range struct{ Start, End Position }

// Lines is the range of whole lines from first up to, but not including, behind.
func Lines(first, behind int) Range { return Range{Position{first, 0}, Position{behind, 0}} }

// Document is a text as it is at one moment; it does not change.
type Document struct {
	URI      string
	Language string // the editor's name for it
	Version  int32
	lines    []string // each with its line ending, but the last
}

// New returns a document of that text.
func New(uri, language string, version int32, text string) Document {
	return Document{URI: uri, Language: language, Version: version, lines: split(text)}
}

func split(text string) []string { return strings.SplitAfter(text, "\n") }

// Text is all of it.
func (d Document) Text() string { return strings.Join(d.lines, "") }

// Count is how many lines there are; a text that ends with a line ending has an
// empty one behind it.
func (d Document) Count() int { return len(d.lines) }

// Line is one line without its ending; empty beyond the last.
func (d Document) Line(n int) string {
	if n < 0 || n >= len(d.lines) {
		return ""
	}
	return strings.TrimRight(d.lines[n], "\r\n")
}

// All is the range of the whole text.
func (d Document) All() Range {
	last := len(d.lines) - 1
	return Range{End: Position{last, Units(d.lines[last])}}
}

// Slice is the text in a range, which is cut to what there is.
func (d Document) Slice(r Range) string {
	from, to := d.clamp(r.Start), d.clamp(r.End)
	if to.Line < from.Line || to == from {
		return ""
	}
	lines := slices.Clone(d.lines[from.Line : to.Line+1])
	last := len(lines) - 1
	lines[last] = lines[last][:offset(lines[last], to.Character)]
	begin := offset(d.lines[from.Line], from.Character)
	if begin > len(lines[0]) {
		return ""
	}
	lines[0] = lines[0][begin:]
	return strings.Join(lines, "")
}

// clamp moves a position that is not in the text to the nearest one that is.
func (d Document) clamp(p Position) Position {
	switch {
	case p.Line < 0:
		return Position{}
	case p.Line >= len(d.lines):
		return d.All().End
	}
	p.Character = min(max(0, p.Character), Units(d.Line(p.Line)))
	return p
}

// replace returns the text with a range replaced.
func (d Document) replace(r Range, text string) Document {
	from, to := d.clamp(r.Start), d.clamp(r.End)
	before := d.lines[from.Line][:offset(d.lines[from.Line], from.Character)]
	after := d.lines[to.Line][offset(d.lines[to.Line], to.Character):]
	lines := split(before + text + after)
	if to.Line < len(d.lines)-1 { // behind the line ending the next line begins, not an empty one
		lines = lines[:len(lines)-1]
	}
	d.lines = slices.Concat(d.lines[:from.Line], lines, d.lines[to.Line+1:])
	return d
}

// Units counts the UTF-16 code units of a text.
func Units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// offset is the byte of a line at which so many UTF-16 code units are over.
func offset(line string, units int) int {
	for i := 0; i < len(line); {
		if units <= 0 {
			return i
		}
		r, size := utf8.DecodeRuneInString(line[i:])
		units -= max(1, utf16.RuneLen(r))
		i += size
	}
	return len(line)
}

// Change of a document: of a range, or with none of everything.
type Change struct {
	Range *Range
	Text  string
}

// Store holds the documents that are open. Its methods may be called from
// several goroutines.
type Store struct {
	mu   sync.Mutex // guards open
	open map[string]Document
}

// Open puts a document in the place of one with its URI.
func (s *Store) Open(d Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]Document{}
	}
	s.open[d.URI] = d
}

// Change applies changes one after the other, each to what the one before left.
// It fails when the document is not open.
func (s *Store) Change(uri string, version int32, changes []Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.open[uri]
	if !ok {
		return fmt.Errorf("%s is not open", uri)
	}
	for _, c := range changes {
		if c.Range == nil {
			d.lines = split(c.Text)
		} else {
			d = d.replace(*c.Range, c.Text)
		}
	}
	d.Version = version
	s.open[uri] = d
	return nil
}

// Close forgets a document.
func (s *Store) Close(uri string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, uri)
}

// Get returns a document that is open.
func (s *Store) Get(uri string) (Document, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.open[uri]
	return d, ok
}

package document

import (
	"regexp"
	"strings"
)

// Kind of a Block.
type Kind int

// Kinds.
const (
	Script Kind = iota // the whole document
	Main               // the whole document, at its main function or entry guard
	Cell               // from one cell marker to the next
	Fence              // a fenced code block of Markdown
)

// Block is something in a document that can be run by itself.
type Block struct {
	Kind     Kind
	Line     int    // where it is offered
	Code     Range  // what is run
	Language string // as a fence names it; empty = the document's
	Title    string // of a cell, if it has one
}

// cellMarker is a comment of any language that begins a cell, as Jupytext,
// Spyder and VS Code write them: "# %%", "// %% Title", "-- %% [markdown]".
var cellMarker = regexp.MustCompile(`^\s*(?:#|//|--|%|/\*)\s?%%(?:\s+(.*?))?\s*(?:\*/)?\s*$`)

// entry is what begins the part of a program that is run, by the editor's name
// of the language.
var entry = map[string]*regexp.Regexp{
	"python": regexp.MustCompile(`^if\s+__name__\s*==\s*['"]__main__['"]\s*:`),
	"go":     regexp.MustCompile(`^func\s+main\s*\(\s*\)`),
	"rust":   regexp.MustCompile(`^(?:pub\s+)?(?:async\s+)?fn\s+main\s*\(`),
	"c":      regexp.MustCompile(`^(?:int|void|auto)\s+main\s*\(`),
	"cpp":    regexp.MustCompile(`^(?:int|void|auto)\s+main\s*\(`),
	"java":   regexp.MustCompile(`^\s*(?:public\s+)?static\s+(?:public\s+)?void\s+main\s*\(`),
	"ruby":   regexp.MustCompile(`^if\s+(?:__FILE__\s*==\s*\$0|\$0\s*==\s*__FILE__|\$PROGRAM_NAME\s*==\s*__FILE__)`),
	"perl":   regexp.MustCompile(`^(?:__PACKAGE__->)?main\s*\(.*\)\s*(?:unless\s+caller)?\s*;`),
}

// Blocks are what can be run in a document, from top to bottom.
func (d Document) Blocks() []Block {
	if d.Language == "markdown" {
		return d.fences()
	}
	blank := true
	for n := range d.lines {
		blank = blank && strings.TrimSpace(d.Line(n)) == ""
	}
	if blank {
		return nil
	}
	blocks := append([]Block{{Kind: Script, Code: d.All()}}, d.cells()...)
	if e := entry[d.Language]; e != nil {
		for n := range d.lines {
			if e.MatchString(d.Line(n)) {
				blocks = append(blocks, Block{Kind: Main, Line: n, Code: d.All()})
				break
			}
		}
	}
	return blocks
}

// cells go from a marker to the next one. What is before the first is a cell too.
func (d Document) cells() []Block {
	var cells []Block
	end := func(line int) {
		if len(cells) > 0 {
			cells[len(cells)-1].Code.End = Position{line, 0}
		}
	}
	for n := range d.lines {
		m := cellMarker.FindStringSubmatch(d.Line(n))
		if m == nil {
			continue
		}
		end(n)
		cells = append(cells, Block{Kind: Cell, Line: n, Code: Range{Start: Position{n + 1, 0}}, Title: m[1]})
	}
	if len(cells) > 0 {
		cells[len(cells)-1].Code.End = d.All().End
	}
	runnable := cells[:0]
	for _, c := range cells {
		if !strings.HasPrefix(c.Title, "[") && strings.TrimSpace(d.Slice(c.Code)) != "" { // [markdown] and the like
			runnable = append(runnable, c)
		}
	}
	return runnable
}

// fence is a line that begins or ends a fenced block: CommonMark 0.31, section 4.5.
var fence = regexp.MustCompile("^ {0,3}(`{3,}|~{3,})\\s*(?:\\{\\.?)?([A-Za-z0-9_+#.@-]*)")

func (d Document) fences() []Block {
	var blocks []Block
	for n := 0; n < d.Count(); n++ {
		m := fence.FindStringSubmatch(d.Line(n))
		if m == nil {
			continue
		}
		end := n + 1
		for end < d.Count() && !closes(d.Line(end), m[1]) {
			end++
		}
		if code := Lines(n+1, end); m[2] != "" && strings.TrimSpace(d.Slice(code)) != "" {
			blocks = append(blocks, Block{Kind: Fence, Line: n, Code: code, Language: m[2]})
		}
		n = end
	}
	return blocks
}

func closes(line, opening string) bool {
	line = strings.TrimSpace(line)
	return len(line) >= len(opening) && strings.Trim(line, opening[:1]) == ""
}

// CellAt is the cell or the fenced block that a line is in.
func (d Document) CellAt(line int) (Block, bool) {
	for _, b := range d.Blocks() {
		if (b.Kind == Cell || b.Kind == Fence) && b.Line <= line && (line < b.Code.End.Line || line == b.Code.End.Line && b.Code.End.Character > 0) {
			return b, true
		}
	}
	return Block{}, false
}

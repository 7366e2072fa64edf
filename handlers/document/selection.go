package document

import "strings"

// Selection is code made out of a range.
type Selection struct {
	Code   string
	Range  Range // that it was taken from, which may be larger than what was asked for
	Indent int   // UTF-16 code units that were taken from the beginning of each line
}

// Select makes code of a range: what is blank around it is left off, lines that
// were begun are taken from their first character on, statements that go on below
// are taken whole, and an indentation that all lines share is taken away.
//
// A range within one line, of something that is no whole line, is taken as it is.
func (d Document) Select(r Range) Selection {
	r.Start, r.End = d.clamp(r.Start), d.clamp(r.End)
	if r.Start == r.End { // no selection: the line
		r = Range{Position{r.Start.Line, 0}, Position{r.Start.Line, Units(d.Line(r.Start.Line))}}
	}
	for r.Start.Line < r.End.Line && strings.TrimSpace(d.Line(r.Start.Line)) == "" {
		r.Start = Position{r.Start.Line + 1, 0}
	}
	for r.End.Line > r.Start.Line && (r.End.Character == 0 || strings.TrimSpace(d.Line(r.End.Line)) == "") {
		r.End = Position{r.End.Line - 1, Units(d.Line(r.End.Line - 1))}
	}
	first := d.Line(r.Start.Line)
	if strings.TrimSpace(first[:offset(first, r.Start.Character)]) == "" {
		r.Start.Character = 0
	}
	if r.Start.Character > 0 && r.Start.Line == r.End.Line {
		return Selection{Code: d.Slice(r), Range: r}
	}
	r.Start.Character = 0
	r = d.whole(r)
	lines := strings.Split(d.Slice(r), "\n")
	indent := sharedIndent(lines)
	for i, line := range lines {
		lines[i] = line[min(len(indent), len(line)):]
	}
	return Selection{Code: strings.Join(lines, "\n"), Range: r, Indent: Units(indent)}
}

// sharedIndent is what all lines that are not blank begin with.
func sharedIndent(lines []string) string {
	shared, found := "", false
	for _, line := range lines {
		text := strings.TrimLeft(line, " \t")
		if strings.TrimSpace(text) == "" {
			continue
		}
		indent := line[:len(line)-len(text)]
		if !found {
			shared, found = indent, true
		}
		for !strings.HasPrefix(indent, shared) {
			shared = shared[:len(shared)-1]
		}
	}
	return shared
}

// mostLines is how far a statement is looked for beyond a selection.
const mostLines = 200

// whole extends a range of lines downwards until its brackets are closed, and
// over the lines that an open one at its end begins: a body that is indented
// deeper, and what ends it.
func (d Document) whole(r Range) Range {
	last := r.End.Line
	for limit := last + mostLines; last < min(limit, d.Count()-1) && open(d.Slice(Lines(r.Start.Line, last+1))) > 0; {
		last++
	}
	if opener(d.Line(last)) && open(d.Slice(Lines(r.Start.Line, last+1))) == 0 {
		last = d.body(last)
	}
	if last == r.End.Line {
		r.End.Character = Units(d.Line(last))
		return r
	}
	r.End = Position{last, Units(d.Line(last))}
	return r
}

// opener reports whether a line's statement has its body below, as in Python.
func opener(line string) bool {
	line = strings.TrimSpace(line)
	if i := strings.Index(line, " #"); i >= 0 {
		line = strings.TrimSpace(line[:i])
	}
	return strings.HasSuffix(line, ":") || strings.HasPrefix(line, "@")
}

// body is the last line of what is indented deeper than line n, below it. A
// decorator has the function below it first.
func (d Document) body(n int) int {
	for strings.HasPrefix(strings.TrimSpace(d.Line(n)), "@") && n+1 < d.Count() {
		n++
	}
	depth, last := indentOf(d.Line(n)), n
	for i := n + 1; i < d.Count(); i++ {
		if strings.TrimSpace(d.Line(i)) == "" {
			continue
		}
		if indentOf(d.Line(i)) <= depth {
			break
		}
		last = i
	}
	return last
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// open counts the brackets that a text opens and does not close. It knows
// strings and comments of most languages well enough for a guess: a wrong one
// takes a line too many or too few.
func open(text string) int {
	depth := 0
	var quote rune
	escaped, comment := false, false
	previous := rune(0)
	for _, r := range text {
		switch {
		case r == '\n':
			comment, escaped = false, false
			if quote != '`' {
				quote = 0
			}
		case comment:
		case escaped:
			escaped = false
		case quote != 0 && r == '\\':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '#' && (previous == 0 || previous == ' ' || previous == '\n' || previous == '\t'), r == '/' && previous == '/':
			comment = true
		case r == '"' || r == '\'' || r == '`':
			quote = r
		case strings.ContainsRune("([{", r):
			depth++
		case strings.ContainsRune(")]}", r):
			depth--
		}
		previous = r
	}
	return depth
}

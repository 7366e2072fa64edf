package trace

import "strings"

var (
	pythonFrame = pattern(`^\s*File "(.+)", line (\d+)(?:, in (.+))?$`)
	pythonError = pattern(`^([A-Za-z_][\w.]*)(?:: (.*))?$`)
)

// Python reads tracebacks, and what the compiler says of a syntax error. Of a
// chain of exceptions the last one ended the program.
func Python(text string) []Problem {
	var last *Problem
	var frames []Place
	for c := read(text); c.next(); {
		line := c.line()
		if m := c.match(pythonFrame); m != nil {
			p := Place{File: m[1], Line: number(m[2]), Function: strings.Trim(m[3], "<>")}
			if m[3] == "<module>" {
				p.Function = ""
			}
			c.pythonMark(&p)
			frames = append([]Place{p}, frames...)
			continue
		}
		if len(frames) == 0 || line == "" || line[0] == ' ' {
			continue
		}
		if m := c.match(pythonError); m != nil {
			last = &Problem{Message: strings.TrimSpace(line), Places: frames}
		}
		frames = nil
	}
	if last == nil {
		return nil
	}
	return []Problem{*last}
}

// pythonMark finds the columns below a frame's source line, which is printed
// without its indentation.
func (c *cursor) pythonMark(p *Place) {
	source, marks := c.peek(1), c.peek(2)
	first, end, ok := marked(marks)
	indent := len(source) - len(strings.TrimLeft(source, " "))
	if !ok || first <= indent {
		return
	}
	p.Column, p.End, p.Unit = first-indent, end-indent, Trimmed
}

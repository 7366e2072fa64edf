package trace

import "strings"

var (
	v8Header = pattern(`^(\S.*):(\d+)$`)
	v8Frame  = pattern(`^\s+at (?:(?:async )?(.+?) \()?((?:file://)?[^()\s][^()]*):(\d+):(\d+)\)?$`)
	v8Error  = pattern(`^(?:Uncaught )?(?:\w+Error|[A-Z]\w*(?:Exception|Error))\b.*$`)
	tsError  = pattern(`^(\S.*):(\d+):(\d+) - (error|warning) (?:TS\d+: )?(.*)$`)
)

// V8 reads what Node says of an exception that nobody caught, and of code that it
// cannot parse.
func V8(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		if m := c.match(v8Header); m != nil {
			problems = append(problems, c.v8Uncaught(Place{File: trimURL(m[1]), Line: number(m[2]), Unit: UTF16}))
		} else if v8Error().MatchString(c.line()) && v8Frame().MatchString(c.peek(1)) {
			problems = append(problems, Problem{Message: c.line(), Places: c.v8Frames()})
		}
	}
	return problems
}

// v8Uncaught reads on behind a place: the source line, a mark, and the exception
// with its frames.
func (c *cursor) v8Uncaught(place Place) Problem {
	if first, end, ok := marked(c.peek(2)); ok {
		place.Column, place.End = first, end
		c.at += 2
	}
	p := Problem{Message: "uncaught exception"}
	for c.next() {
		if strings.TrimSpace(c.line()) != "" {
			p.Message = strings.TrimSpace(c.line())
			break
		}
	}
	p.Places = c.v8Frames()
	// The frame tells the column of the expression, the mark that of the operator.
	if len(p.Places) == 0 || p.Places[0].File != place.File {
		p.Places = append([]Place{place}, p.Places...)
	}
	return p
}

func (c *cursor) v8Frames() []Place {
	var frames []Place
	for {
		m := v8Frame().FindStringSubmatch(c.peek(1))
		if m == nil {
			return frames
		}
		c.at++
		function := m[1]
		if strings.HasPrefix(function, "Object.<anonymous>") {
			function = ""
		}
		frames = append(frames, Place{File: trimURL(m[2]), Line: number(m[3]), Column: number(m[4]), Unit: UTF16, Function: function})
	}
}

func trimURL(file string) string { return strings.TrimPrefix(file, "file://") }

// TypeScript reads what its compiler says, and what Node says of what came of it.
func TypeScript(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		if m := c.match(tsError); m != nil {
			problems = append(problems, Problem{Severity: severity(m[4]), Message: m[5],
				Places: []Place{{File: m[1], Line: number(m[2]), Column: number(m[3]), Unit: UTF16}}})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return afterSourceMap(V8(text))
}

// afterSourceMap drops the places of uncaught exceptions that speak of compiled
// lines: the frames are the ones that were mapped back.
func afterSourceMap(problems []Problem) []Problem {
	for i, p := range problems {
		for n, place := range p.Places {
			if place.End == 0 { // a frame
				problems[i].Places = p.Places[n:]
				break
			}
		}
	}
	return problems
}

package trace

import "strings"

var (
	gccMessage   = pattern(`^([^\s:][^:]*):(\d+):(?:(\d+):)? (fatal error|error|warning|note): (.*)$`)
	gccAssertion = pattern("^[^:]+: ([^:]+):(\\d+): (.+?): Assertion [`'‘](.*)['’] failed\\.?$")
	goMessage    = pattern(`^([^\s:][^:]*\.go):(\d+)(?::(\d+))?: (.*)$`)
	goPanic      = pattern(`^(?:panic|fatal error): (.*)$`)
	goFunction   = pattern(`^(?:created by )?([\w./*()\[\]]+?)(?:\(.*\)| in goroutine \d+)?$`)
	goPlace      = pattern(`^\t(.+):(\d+)(?: \+0x[0-9a-f]+)?$`)
	rustMessage  = pattern(`^(error|warning)(?:\[\w+\])?: (.*)$`)
	rustPlace    = pattern(`^\s*--> (.+):(\d+):(\d+)$`)
	rustPanicOld = pattern(`^thread '.*' panicked at '(.*)', (.+):(\d+):(\d+)$`)
	rustPanic    = pattern(`^thread '.*' (?:\(\d+\) )?panicked at (.+):(\d+):(\d+):$`)
	javacMessage = pattern(`^([^\s:][^:]*\.java):(\d+): (?:(error|warning): )?(.*)$`)
	javaError    = pattern(`^(?:Exception in thread "[^"]*" |Caused by: )?((?:[\w$]+\.)*[\w$]*(?:Error|Exception|Throwable)(?:: .*)?)$`)
	javaFrame    = pattern(`^\s+at (?:.*/)?([\w$.<>]+)\(([\w$]+\.\w+):(\d+)\)$`)
)

func severity(word string) Severity {
	switch word {
	case "warning":
		return Warning
	case "note":
		return Note
	}
	return Error
}

// GCC reads the messages of C compilers, GCC and Clang, and failed assertions. A
// note belongs to the problem before it.
func GCC(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		if m := c.match(gccMessage); m != nil {
			place := Place{File: m[1], Line: number(m[2]), Column: number(m[3]), Unit: Bytes}
			if m[4] == "note" && len(problems) > 0 {
				place.Function = m[5]
				last := &problems[len(problems)-1]
				last.Places = append(last.Places, place)
				continue
			}
			problems = append(problems, Problem{Severity: severity(m[4]), Message: m[5], Places: []Place{place}})
		} else if m := c.match(gccAssertion); m != nil {
			problems = append(problems, Problem{Message: "assertion failed: " + m[4],
				Places: []Place{{File: m[1], Line: number(m[2]), Function: m[3]}}})
		}
	}
	return problems
}

// Go reads the compiler's messages, and panics with the stack of the goroutine
// that had it.
func Go(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		if m := c.match(goPanic); m != nil {
			if p := (Problem{Message: c.line(), Places: c.goStack()}); len(p.Places) > 0 {
				problems = append(problems, p)
			}
		} else if m := c.match(goMessage); m != nil {
			problems = append(problems, Problem{Message: m[4],
				Places: []Place{{File: m[1], Line: number(m[2]), Column: number(m[3]), Unit: Bytes}}})
		}
	}
	return problems
}

// goStack reads the first stack that follows, and passes over the others.
func (c *cursor) goStack() []Place {
	var places []Place
	function, stacks := "", 0
	for c.next() {
		switch m := c.match(goPlace); {
		case strings.HasPrefix(c.line(), "goroutine "):
			stacks++
		case stacks > 1:
		case m != nil:
			places = append(places, Place{File: m[1], Line: number(m[2]), Function: function})
		default:
			function = ""
			if m := c.match(goFunction); m != nil {
				function = strings.TrimPrefix(m[1], "main.")
			}
		}
	}
	return places
}

// Rust reads the compiler's messages, and panics.
func Rust(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		if m := c.match(rustMessage); m != nil {
			if place := rustPlace().FindStringSubmatch(c.peek(1)); place != nil {
				problems = append(problems, Problem{Severity: severity(m[1]), Message: m[2], Places: []Place{rustAt(place[1:])}})
			}
		} else if m := c.match(rustPanicOld); m != nil {
			problems = append(problems, Problem{Message: "panicked: " + m[1], Places: []Place{rustAt(m[2:])}})
		} else if m := c.match(rustPanic); m != nil {
			problems = append(problems, Problem{Message: "panicked: " + c.peek(1), Places: []Place{rustAt(m[1:])}})
		}
	}
	return problems
}

// rustAt is a place of a file, a line and a column.
func rustAt(m []string) Place {
	return Place{File: m[0], Line: number(m[1]), Column: number(m[2])}
}

// Java reads the compiler's messages, and uncaught exceptions. Of their causes
// only the message is kept.
func Java(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		if m := c.match(javacMessage); m != nil {
			place := Place{File: m[1], Line: number(m[2])}
			// javac marks one character of what may be long.
			if first, _, ok := marked(c.peek(2)); ok {
				place.Column = first
			}
			problems = append(problems, Problem{Severity: severity(m[3]), Message: m[4], Places: []Place{place}})
		} else if m := c.match(javaError); m != nil {
			if places := c.javaFrames(); len(places) > 0 {
				problems = append(problems, Problem{Message: m[1], Places: places})
			}
		}
	}
	return problems
}

func (c *cursor) javaFrames() []Place {
	var places []Place
	for {
		m := javaFrame().FindStringSubmatch(c.peek(1))
		if m == nil {
			return places
		}
		c.at++
		places = append(places, Place{File: m[2], Line: number(m[3]), Function: m[1]})
	}
}

package trace

import (
	"regexp"
	"strings"
)

var (
	rubyError  = pattern("^(\\S.*?):(\\d+):(?:in [`'](.*?)':)? (.*)$")
	rubyFrame  = pattern("^\\s+from (.+?):(\\d+):(?:in [`'](.*)')?$")
	phpError   = pattern(`^(?:PHP )?(Fatal error|Parse error|Warning|Notice|Deprecated): +(.*) in (\S.*?)(?: on line |:)(\d+)$`)
	phpFrame   = pattern(`^#\d+ (.+)\((\d+)\): (.*)$`)
	perlError  = pattern(`^(.*) at (\S.*) line (\d+)(?:\.$|,.*$)`)
	bashError  = pattern(`^(\S.*): line (\d+): (.*)$`)
	luaError   = pattern(`^(?:\S*lua\S*: )?(\S.*?):(\d+): (.*)$`)
	luaFrame   = pattern(`^\t(.+?):(\d+): in (?:(?:local|upvalue|field|method|global|function) )?(.*)$`)
	sqlError   = pattern(`^(?:Parse|Runtime) error near line (\d+): (.*)$`)
	sqlMark    = pattern(`^(?:( +)\^--- error here|( *error here ---)\^)$`)
	rError     = pattern(`^Error (?:in .*)?\(from (.+)#(\d+)\) ?: ?(.*)$`)
	rUnmatched = pattern(`^Error.*: (.*?):?(\d+):(\d+): (.*)$`)
)

// Ruby reads uncaught exceptions and syntax errors.
func Ruby(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		line := c.line()
		// An interpreter of ours that loads a file puts its own place before.
		if i := strings.LastIndex(line, "': /"); i > 0 && strings.HasSuffix(line, "(SyntaxError)") {
			c.lines[c.at] = line[i+len("': "):]
		}
		m := c.match(rubyError)
		if m == nil {
			continue
		}
		p := Problem{Severity: Error, Message: m[4], Places: []Place{{File: m[1], Line: number(m[2]), Function: scriptFunction(m[3])}}}
		if rest, ok := strings.CutPrefix(m[4], "warning: "); ok {
			p.Severity, p.Message = Warning, rest
		}
		for frame := rubyFrame().FindStringSubmatch(c.peek(1)); frame != nil; frame = rubyFrame().FindStringSubmatch(c.peek(1)) {
			c.at++
			p.Places = append(p.Places, Place{File: frame[1], Line: number(frame[2]), Function: scriptFunction(frame[3])})
		}
		problems = append(problems, p)
	}
	return problems
}

// scriptFunction is a function's name, but for the script itself, which is none.
func scriptFunction(name string) string {
	if name == "<main>" || name == "main chunk" || name == "<top (required)>" {
		return ""
	}
	return strings.Trim(name, "'")
}

// PHP reads errors, and uncaught exceptions with their stack.
func PHP(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		m := c.match(phpError)
		if m == nil {
			continue
		}
		p := Problem{Message: strings.TrimPrefix(m[2], "Uncaught "), Places: []Place{{File: m[3], Line: number(m[4])}}}
		if m[1] != "Fatal error" && m[1] != "Parse error" {
			p.Severity = Warning
		}
		if c.peek(1) == "Stack trace:" {
			c.at++
			for frame := phpFrame().FindStringSubmatch(c.peek(1)); frame != nil; frame = phpFrame().FindStringSubmatch(c.peek(1)) {
				c.at++
				p.Places = append(p.Places, Place{File: frame[1], Line: number(frame[2]), Function: frame[3]})
			}
		}
		problems = append(problems, p)
	}
	return problems
}

// Perl reads what die, warn and the compiler say.
func Perl(text string) []Problem {
	return eachLine(text, perlError, func(m []string) Problem {
		return Problem{Message: m[1], Places: []Place{{File: m[2], Line: number(m[3])}}}
	})
}

// Bash reads what the shell itself says.
func Bash(text string) []Problem {
	return eachLine(text, bashError, func(m []string) Problem {
		return Problem{Message: m[3], Places: []Place{{File: m[1], Line: number(m[2])}}}
	})
}

// Lua reads uncaught errors with their stack.
func Lua(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		if m := c.match(luaError); m != nil && !strings.HasPrefix(c.line(), "\t") {
			problems = append(problems, Problem{Message: m[3], Places: []Place{{File: m[1], Line: number(m[2])}}})
		} else if m := c.match(luaFrame); m != nil && len(problems) > 0 {
			last := &problems[len(problems)-1]
			last.Places = append(last.Places, Place{File: m[1], Line: number(m[2]), Function: scriptFunction(m[3])})
		}
	}
	return problems
}

// SQLite reads what its shell says of a statement. It names no file.
func SQLite(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		m := c.match(sqlError)
		if m == nil {
			continue
		}
		place := Place{Line: number(m[1])}
		// Below it the statement, cut to what is around the mark, each two columns in.
		const margin = 2
		if mark := sqlMark().FindStringSubmatch(c.peek(2)); mark != nil {
			place.Column, place.Unit = len(mark[1]+mark[2])-margin+1, Trimmed
		}
		problems = append(problems, Problem{Message: m[2], Places: []Place{place}})
	}
	return problems
}

// R reads errors whose place it knows: of parsing, and where sources are kept.
func R(text string) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		if m := c.match(rError); m != nil {
			message := m[3]
			if message == "" {
				message = strings.TrimSpace(c.peek(1))
			}
			problems = append(problems, Problem{Message: message, Places: []Place{{File: m[1], Line: number(m[2])}}})
		} else if m := c.match(rUnmatched); m != nil {
			problems = append(problems, Problem{Message: m[4], Places: []Place{{File: m[1], Line: number(m[2]), Column: number(m[3]), Unit: Bytes}}})
		}
	}
	return problems
}

// eachLine makes a problem of every line that matches.
func eachLine(text string, expression func() *regexp.Regexp, problem func(groups []string) Problem) []Problem {
	var problems []Problem
	for c := read(text); c.next() && len(problems) < Most; {
		if m := c.match(expression); m != nil {
			problems = append(problems, problem(m))
		}
	}
	return problems
}

package langtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

// phrases is what the test of sessions says in a language.
type phrases struct {
	set   string // sets x to 41 and defines a function f that adds 1
	is    string // the value of that
	use   string // its value, or what it prints, is f(x)
	value string // how the language shows that, "" when it has no values
	fail  string // prints before, and fails on its third line
	line  string // how the message names that line
	loop  string // prints ready, and then does nothing for ever
	read  string // prints the line that it reads, and then "end" at the end of input
	die   string // ends the interpreter
}

var sessionPhrases = map[string]phrases{
	"python": {
		set: "x = 41\ndef f(n):\n    return n + 1\n", use: "f(x)", value: "42",
		fail: "print('before')\n\nraise ValueError('boom')", line: "line 3",
		loop: "print('ready')\nwhile True: pass",
		read: "print(input())\ntry:\n    input()\nexcept EOFError:\n    print('end')",
		die:  "import os\nos._exit(7)",
	},
	"javascript": {
		set: "const x = 41\nfunction f(n) { return n + 1 }\n", use: "f(x)", value: "42",
		fail: "console.log('before')\n\nthrow new Error('boom')", line: "Lesson.js:3",
		loop: "console.log('ready'); while (true);",
		read: "const lines = require('fs').readFileSync(0, 'utf8').split('\\n')\nconsole.log(lines[0])\nif (lines.length == 2) console.log('end')",
		die:  "process.exit(7)",
	},
	"typescript": {
		set: "interface N {\n  n: number\n}\nconst x: number = 41\nfunction f(n: number): number { return n + 1 }\n", use: "f(x)", value: "42",
		fail: "console.log('before')\ntype T = string\nthrow new Error('boom' as T)", line: "Lesson.ts:3",
		loop: "console.log('ready'); while (true);",
		read: "import { readFileSync } from 'fs'\nconst lines = readFileSync(0, 'utf8').split('\\n')\nconsole.log(lines[0])\nif (lines.length == 2) console.log('end')",
		die:  "process.exit(7)",
	},
	"bash": {
		set: "x=41\nf() { echo $(($1 + 1)); }\n", use: "f $x",
		fail: "echo before\n\nboom; return 1", line: "line 3",
		loop: "echo ready; while :; do :; done",
		read: "read -r line; echo \"$line\"; read -r line || echo end",
		die:  "exit 7",
	},
	"ruby": {
		set: "x = 41\ndef f(n)\n  n + 1\nend\n", is: ":f", use: "f(x)", value: "42",
		fail: "puts 'before'\n\nraise 'boom'", line: "Lesson.rb:3",
		loop: "puts 'ready'; loop {}",
		read: "puts $stdin.gets; puts 'end' if $stdin.gets.nil?",
		die:  "exit!(7)",
	},
	"java": {
		set: "int x = 41;\nint f(int n) {\n    return n + 1;\n}\n", use: "f(x)", value: "42",
		fail: "System.out.println(\"before\");\n\nthrow new IllegalStateException(\"boom\");", line: "Lesson.java:3",
		loop: "System.out.println(\"ready\"); while (true);",
		read: "var lines = new Scanner(System.in);\nSystem.out.println(lines.nextLine());\nif (!lines.hasNextLine()) System.out.println(\"end\");",
		die:  "System.exit(7);",
	},
	"r": {
		set: "x <- 41\nf <- function(n) {\n  n + 1\n}\n", use: "f(x)", value: "[1] 42",
		fail: "cat('before\\n')\n\nstop('boom')", line: "Lesson.r:3",
		loop: "cat('ready\\n'); repeat {}",
		read: "lines <- file('stdin', 'r')\ncat(readLines(lines, 1), '\\n', sep = '')\nif (length(readLines(lines, 1)) == 0) cat('end\\n')\nclose(lines)",
		die:  "quit(status = 7)",
	},
}

// talk is a client's conversation with the sessions of one language.
type talk struct {
	*testing.T
	client *agent.Client
	lang   lang.Language
	host   bool
	turns  int
}

// skipMissing ends the test where the VM lacks the language's toolchain.
func (c *talk) skipMissing(r agent.Result, must bool) {
	c.Helper()
	missing := c.lang.Missing(r, "")
	switch {
	case missing == nil:
	case must:
		c.Fatalf("%v; %s", missing, runtime.Hint(missing))
	default:
		c.Skipf("%v; %s", missing, runtime.Hint(missing))
	}
}

// plan returns the plan of one execution.
func (c *talk) plan(session, code string) agent.Run {
	c.turns++
	run := c.lang.Plan([]byte(code), []string{"an argument"}, lang.PlanOptions{
		ID: fmt.Sprintf("session-%s-%s-%d", c.lang.ID, session, c.turns), Host: c.host, FileName: "Lesson" + c.lang.Extensions[0], Session: session,
	})
	run.Timeout = timeout
	return run
}

// say executes code that ends with a code.
func (c *talk) say(session, code string, exit int) agent.Result {
	c.Helper()
	r := execute(c.T, c.client, c.plan(session, code))
	if r.Verdict != agent.Exited || exit >= 0 && r.ExitCode != exit || exit < 0 && r.ExitCode == 0 {
		c.Errorf("%q in %s: %s with code %d, want %d\nstdout: %s\nstderr: %s\nnote: %s", code, session, r.Verdict, r.ExitCode, exit, r.Stdout.Head, r.Stderr.Head, r.Note)
	}
	return r
}

// expect holds the session to its variables.
func (c *talk) expect(session string, p phrases, when string) agent.Result {
	c.Helper()
	r := c.say(session, p.use, 0)
	if r.Value != p.value || p.value == "" && string(r.Stdout.Head) != "42\n" {
		c.Errorf("%s: %q gives value %q and prints %q\nstderr: %s", when, p.use, r.Value, r.Stdout.Head, r.Stderr.Head)
	}
	return r
}

// runSession holds a language to what sessions promise.
func runSession(t *testing.T, client *agent.Client, l lang.Language, host, must bool) {
	p, known := sessionPhrases[l.ID]
	switch {
	case len(l.Session) == 0:
		t.Skip("this language has no sessions")
	case !known:
		t.Fatalf("there are no phrases of %s to test its sessions with", l.Name)
	}
	c := &talk{T: t, client: client, lang: l, host: host}
	first := execute(t, client, c.plan("a", p.set))
	c.skipMissing(first, must)
	if first.Verdict != agent.Exited || first.ExitCode != 0 || first.Note != "" || first.Value != p.is {
		t.Fatalf("the first: %+v\n%s", first, first.Stderr.Head)
	}
	c.expect("a", p, "in the next execution")
	c.isolation(p)
	c.failure(p)
	c.input(p)
	c.interruption(p)
	c.death(p)
	for _, name := range []string{"a", "b"} {
		if err := client.CloseSession(t.Context(), name); err != nil {
			t.Errorf("closing session %s: %v", name, err)
		}
	}
}

func (c *talk) isolation(p phrases) {
	c.Helper()
	c.say("b", p.use, -1)
}

// failure: an error says where it is, and leaves the state.
func (c *talk) failure(p phrases) {
	c.Helper()
	r := c.say("a", p.fail, 1)
	message := string(r.Stderr.Head)
	if string(r.Stdout.Head) != "before\n" || !strings.Contains(message, "boom") || !strings.Contains(message, p.line) || strings.Contains(message, "vm-session") {
		c.Errorf("an error prints %q and %q, which lacks boom or %q, or shows our own file", r.Stdout.Head, message, p.line)
	}
	c.expect("a", p, "after an error")
}

// input: each execution has an input of its own.
func (c *talk) input(p phrases) {
	c.Helper()
	for _, text := range []string{"größer als ½", "again"} {
		run := c.plan("a", p.read)
		run.Stdin = []byte(text + "\n")
		r := execute(c.T, c.client, run)
		if want := text + "\nend\n"; string(r.Stdout.Head) != want {
			c.Errorf("reading gives %q, want %q\nstderr: %s", r.Stdout.Head, want, r.Stderr.Head)
		}
	}
}

// interruption: what ends the code, a time limit or a person, leaves what the
// session knows.
func (c *talk) interruption(p phrases) {
	c.Helper()
	// The shortest end before the code has begun, whatever the machine.
	for _, limit := range []time.Duration{time.Millisecond, 20 * time.Millisecond, time.Second} {
		run := c.plan("a", p.loop)
		run.Timeout = limit
		r := execute(c.T, c.client, run)
		if r.Verdict != agent.Timeout || r.Note != "" {
			c.Errorf("an endless loop: %s after %s of %s, note %q\nstderr: %s", r.Verdict, r.Wall, limit, r.Note, r.Stderr.Head)
		}
	}
	c.expect("a", p, "after a time limit")
	c.cancel(p)
	c.expect("a", p, "after it was cancelled")
}

// cancel ends a loop as soon as it has printed its line.
func (c *talk) cancel(p phrases) {
	c.Helper()
	run := c.plan("a", p.loop)
	ctx, cancel := context.WithTimeout(c.Context(), timeout)
	defer cancel()
	cancelled := make(chan error, 1)
	stop := sync.OnceFunc(func() {
		go func() { cancelled <- c.client.Kill(ctx, run.ID, agent.Cancelled) }()
	})
	r, err := c.client.Run(ctx, run, func(_ agent.Stream, p []byte) {
		if bytes.Contains(p, []byte("\n")) {
			stop()
		}
	})
	stop()
	if err := errors.Join(err, <-cancelled); err != nil {
		c.Fatalf("a loop to be cancelled: %v", err)
	}
	if r.Verdict != agent.Cancelled || string(r.Stdout.Head) != "ready\n" || r.Note != "" {
		c.Errorf("a cancelled loop: %s after %s, printed %q, note %q\nstderr: %s", r.Verdict, r.Wall, r.Stdout.Head, r.Note, r.Stderr.Head)
	}
}

// death: an interpreter that has ended is told of, and replaced.
func (c *talk) death(p phrases) {
	c.Helper()
	if r := c.say("a", p.die, 7); !strings.Contains(r.Note, "with exit code 7") {
		c.Errorf("the interpreter's end is noted as %q", r.Note)
	}
	if r := c.say("a", p.set, 0); !strings.Contains(r.Note, "starts anew") {
		c.Errorf("the interpreter's new start is noted as %q", r.Note)
	}
	c.expect("a", p, "in a new interpreter")
}

package fake

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/itechsmart/vm/runtime/lang"
)

// LanguageID is the id to give Language in a table:
//
//	lang.New(map[string]lang.Override{fake.LanguageID: fake.Language})
const LanguageID = "probe"

// Language is a row for scripts that fake machines can run. A line is a command:
//
//	print TEXT     on standard output
//	err TEXT       on standard error
//	read           copies standard input to standard output
//	write PATH N   writes a file of N MiB
//	show PATH      prints a file
//	sleep 1s
//	fetch URL      prints what comes through the machine's proxy
//	alloc N        allocates N MiB
//	loop           computes for ever
//	exit N
//	raise N        dies of signal N
//	set NAME TEXT  keeps a text, in a session from one script to the next
//	get NAME       prints it
//	value NAME     makes it a session's value
//
// Empty lines and those that begin with # are nothing. A line that is none of
// these is a build error.
var Language = lang.Override{
	Name:       "Probe script",
	Extensions: []string{".probe"},
	FileName:   "main.probe",
	Build:      []string{"probe", "check", "{file}"},
	Run:        []string{"probe", "script", "{file}"},
	Session:    []string{"probe", "session"},
	Image:      "probe:%s", DefaultVersion: "1",
	Manager: "pip", // see install
}

// exitError ends a script with a code.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// scriptCommands by name; the argument is the rest of the line.
var scriptCommands = map[string]func(p *process, arg string) error{
	"print": func(p *process, arg string) error { _, err := fmt.Fprintln(p.out(), arg); return err },
	"err":   func(p *process, arg string) error { _, err := fmt.Fprintln(p.err(), arg); return err },
	"read":  func(p *process, _ string) error { _, err := io.Copy(p.out(), p.stdin); return err },
	"show":  func(p *process, arg string) error { return p.print(arg) },
	"write": scriptWrite,
	"fetch": scriptFetch,
	"sleep": func(p *process, arg string) error {
		d, err := time.ParseDuration(arg)
		p.sleep(d)
		return err
	},
	"alloc": scriptAlloc,
	"loop": func(p *process, _ string) error {
		for p.ctx.Err() == nil {
			p.world.compute(p, 1)
		}
		return nil
	},
	"exit": func(p *process, arg string) error { return exitError(exit(p, []string{arg})) },
	"set": func(p *process, arg string) error {
		name, text, _ := strings.Cut(arg, " ")
		p.vars[name] = text
		return nil
	},
	"get": func(p *process, arg string) error {
		text, err := p.lookup(arg)
		if err == nil {
			_, err = fmt.Fprintln(p.out(), text)
		}
		return err
	},
	"value": func(p *process, arg string) (err error) {
		p.value, err = p.lookup(arg)
		return err
	},
	"raise": func(p *process, arg string) error {
		probeRaise(p, []string{arg})
		return nil
	},
}

// lookup returns what set has kept.
func (p *process) lookup(name string) (string, error) {
	text, ok := p.vars[name]
	if !ok {
		return "", fmt.Errorf("%s is not set", name)
	}
	return text, nil
}

func scriptWrite(p *process, arg string) error {
	name, mib, _ := strings.Cut(arg, " ")
	n, err := strconv.ParseInt(mib, 10, 32)
	if err != nil {
		return err
	}
	if err := p.world.files.put(p.path(name), nil, 0o644); err != nil {
		return p.check(err)
	}
	return p.check(p.world.files.grow(p.path(name), n<<20))
}

func scriptAlloc(p *process, arg string) error {
	mib, err := strconv.ParseInt(arg, 10, 32)
	if err == nil {
		p.allocate(mib << 20)
	}
	return err
}

// scriptLine is one command of a script.
type scriptLine struct {
	number       int
	command, arg string
}

// parse reads the script that a program's first argument names.
func (p *process) parse(args []string) ([]scriptLine, error) {
	if len(args) == 0 {
		return nil, errors.New("a script is needed")
	}
	f, err := p.world.files.get(p.path(args[0]))
	if err != nil {
		return nil, err
	}
	var script []scriptLine
	for i, line := range strings.Split(string(f.data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		command, arg, _ := strings.Cut(line, " ")
		script = append(script, scriptLine{i + 1, command, strings.TrimSpace(arg)})
	}
	return script, nil
}

func checkScript(p *process, args []string) int {
	script, err := p.parse(args)
	if err != nil {
		return p.fail(err)
	}
	code := 0
	for _, line := range script {
		if scriptCommands[line.command] == nil {
			fmt.Fprintf(p.err(), "%s:%d: %q is none of %v\n",
				args[0], line.number, line.command, slices.Sorted(maps.Keys(scriptCommands)))
			code = 1
		}
	}
	return code
}

func runScript(p *process, args []string) int {
	script, err := p.parse(args)
	if err != nil {
		return p.fail(err)
	}
	if p.vars == nil {
		p.vars = map[string]string{}
	}
	for _, line := range script {
		command := scriptCommands[line.command]
		if command == nil {
			fmt.Fprintf(p.err(), "%s:%d: %q is no command\n", args[0], line.number, line.command)
			return 1
		}
		err := command(p, line.arg)
		var exit exitError
		switch {
		case p.ctx.Err() != nil:
			return 1
		case errors.As(err, &exit):
			return int(exit)
		case err != nil:
			fmt.Fprintf(p.err(), "%s:%d: %v\n", args[0], line.number, err)
			return 1
		}
	}
	return 0
}

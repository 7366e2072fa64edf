package fake

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// programs of every machine, by name.
var programs = map[string]program{
	"true":          func(*process, []string) int { return 0 },
	"false":         func(*process, []string) int { return 1 },
	"echo":          echo,
	"cat":           cat,
	"sleep":         sleep,
	"exit":          exit,
	"print-forever": printForever,
	"probe":         probe,
	"sh":            shell,
}

// fail says why on standard error.
func (p *process) fail(err error) int {
	fmt.Fprintf(p.err(), "%s: %v\n", p.name, err)
	return 1
}

// exitCode is 0 unless err says otherwise.
func (p *process) exitCode(err error) int {
	if err != nil {
		return p.fail(err)
	}
	return 0
}

func echo(p *process, args []string) int {
	_, err := fmt.Fprintln(p.out(), strings.Join(args, " "))
	return p.exitCode(err)
}

// cat copies files, or standard input when there are none.
func cat(p *process, args []string) int {
	if len(args) == 0 {
		_, err := io.Copy(p.out(), p.stdin)
		return p.exitCode(err)
	}
	for _, name := range args {
		if err := p.print(name); err != nil {
			return p.fail(err)
		}
	}
	return 0
}

// print copies a file to standard output.
func (p *process) print(name string) error {
	f, err := p.world.files.get(p.path(name))
	if err != nil {
		return err
	}
	_, err = io.Copy(p.out(), f.reader())
	return err
}

// sleep takes seconds or a Go duration.
func sleep(p *process, args []string) int {
	if len(args) != 1 {
		return p.fail(fmt.Errorf("one duration is needed"))
	}
	text := args[0]
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return p.fail(err)
	}
	p.sleep(d)
	return 0
}

// sleep ends early when the process has to.
func (p *process) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}

func exit(p *process, args []string) int {
	if len(args) != 1 {
		return 0
	}
	code, err := strconv.Atoi(args[0])
	if err != nil {
		return p.fail(err)
	}
	return code & 0xff
}

func printForever(p *process, _ []string) int {
	for n := 0; ; n++ {
		if _, err := fmt.Fprintln(p.out(), "line", n); err != nil {
			return 1
		}
	}
}

// probe is package runtimetest/probe, as far as its subcommands make sense here.
func probe(p *process, args []string) int {
	if len(args) == 0 || subcommands[args[0]] == nil {
		return p.fail(fmt.Errorf("one of these is needed: %v", slices.Sorted(maps.Keys(subcommands))))
	}
	return subcommands[args[0]](p, args[1:])
}

// shell runs a script of Language's commands: sh -e FILE. Scripts that install
// packages are not of these commands, and done by install.
func shell(p *process, args []string) int {
	switch {
	case len(args) >= 2 && args[0] == "-e" && path.Base(args[1]) == "vm-install.sh":
		return install(p, args[2:])
	case len(args) != 2 || args[0] != "-e":
		return p.fail(fmt.Errorf("usage: sh -e FILE, not %v", args))
	}
	if code := checkScript(p, args[1:]); code != 0 {
		return code
	}
	return runScript(p, args[1:])
}

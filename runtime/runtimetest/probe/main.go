//go:build linux

// Command probe is the program that the conformance suite runs inside machines.
// It is static, so that no machine has to bring an interpreter along. Every
// subcommand does one thing, mostly a bad one.
package main

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// subcommands by name; an error goes to standard error, with exit code 1.
var subcommands = map[string]func(args []string) error{
	"print":      printArgs,      // TEXT…: a line
	"err":        errArgs,        // TEXT…: a line on standard error
	"split":      split,          // TEXT: byte by byte, a write each
	"flood":      flood,          // MIB of output
	"cat":        cat,            // standard input to standard output
	"greet":      greet,          // "ready", then a line of input comes back as "got LINE"
	"exit":       exit,           // CODE
	"raise":      raise,          // SIGNAL number, against itself
	"sleep":      sleep,          // DURATION, after "ready"
	"describe":   describe,       // report.Surroundings
	"read":       read,           // FILE
	"write":      write,          // FILE MIB [tidy]: removes what it cannot finish
	"remove":     remove,         // FILE
	"terminal":   terminal,       // its size, at the start and when it changes, and lines of input; ends with the line "quit"
	"trap":       trap,           // DIR: makes in it what a reader of files may fall for
	"tree":       tree,           // FOLDER: makes one of all kinds of files in it
	"spoil":      spoil,          // FOLDER: changes everything that tree made
	"listing":    listing,        // FOLDER: all there is to know of what is in it
	"on-term":    onTerm,         // FILE: "ready", then writes it when SIGTERM comes
	"cpu":        cpu,            // DURATION THREADS: report.CPU
	"memory":     memory,         // MIB, touched
	"oom-storm":  oomStorm,       // MIB: starts several that touch so much, again and again
	"fork-bomb":  forkBomb,       // forks until it is refused, then exits with 1
	"fork-storm": forkStorm,      // forks for ever, and so do the children
	"daemonize":  daemonize,      // TOKEN [hang]: leaves a linger process behind
	"hop":        hop,            // the session leader between daemonize and linger
	"linger":     linger,         // TOKEN: ignores signals, holds standard output, for ever
	"count":      countLingering, // TOKEN: how many linger processes there are
	"network":    network,        // ADDRESS…: report.Network
	"reach":      reach,          // ADDRESS…: report.Reached for each
	"say":        say,            // ADDRESS WORD: "ready", then WORD to whoever connects
	"fetch":      fetch,          // URL…: report.Fetched for each, through HTTP_PROXY
	"privileges": privileges,     // report.Privileges
}

// hostile subcommands run only where the suite says that a machine is around
// them: on a bare host they would be the attack that they imitate.
var hostile = []string{"fork-bomb", "fork-storm", "memory", "oom-storm", "privileges"}

func main() {
	if len(os.Args) < 2 || subcommands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "probe: no such subcommand")
		os.Exit(2)
	}
	if slices.Contains(hostile, os.Args[1]) && os.Getenv("PROBE_IN_MACHINE") != "1" {
		fmt.Fprintln(os.Stderr, "probe: not outside a machine: PROBE_IN_MACHINE=1 is not set")
		os.Exit(2)
	}
	if err := subcommands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// forever blocks; the timer keeps the runtime from calling it a deadlock.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}

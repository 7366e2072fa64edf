package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/itechsmart/vm/cmd/vm/internal/junit"
	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

// junitFile is a report that takes its place when it is whole: until then, what
// was there stays. A nil one is not wanted.
type junitFile struct {
	name  string
	part  *os.File
	suite junit.Suite
}

// newJUnitFile prepares a report before anything is run, so that a wrong name
// costs nothing. Without a name there is none.
func newJUnitFile(name, suite string) (*junitFile, error) {
	if name == "" {
		return nil, nil
	}
	part, err := os.CreateTemp(filepath.Dir(name), ".junit-*")
	if err != nil {
		return nil, usage("name a file in a folder that is there", "the report cannot be written: %v", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost" // what the schema wants where the name is not known
	}
	return &junitFile{name: name, part: part, suite: junit.Suite{Name: suite, Package: "vm.batch", Host: host, Began: time.Now()}}, nil
}

// write puts the report of a batch in its place.
func (f *junitFile) write(r handlers.BatchResult, matrix bool) error {
	if f == nil {
		return nil
	}
	var output strings.Builder
	for _, item := range r.Results {
		c := junitCase(item, matrix)
		f.suite.Cases = append(f.suite.Cases, c)
		fmt.Fprintf(&output, "%s:\n%s\n", c.Name, item.Output)
	}
	f.suite.Output = output.String()
	err := errors.Join(junit.Write(f.part, f.suite), f.part.Chmod(0o644), f.part.Close())
	if err == nil {
		err = os.Rename(f.part.Name(), f.name)
	}
	if err != nil {
		return fmt.Errorf("the report cannot be written: %w", err)
	}
	return nil
}

// discard removes what write has not put in its place.
func (f *junitFile) discard() {
	if f != nil {
		_ = f.part.Close()
		_ = os.Remove(f.part.Name()) // is in its place, as a rule
	}
}

// junitCase is one VM's part of a batch as a test.
func junitCase(item handlers.BatchItem, matrix bool) junit.Case {
	e := item.Execution
	c := junit.Case{Name: cmp.Or(e.VMName, "vm"), Class: cmp.Or(e.Language, "vm"), Seconds: e.ExecutionTime, Type: e.Verdict, Text: e.Error}
	if matrix {
		c.Name = e.Language
	}
	switch {
	case e.Verdict == "cancelled": // also what --fail-fast kept from being run
		c.Outcome, c.Message = junit.Skipped, cmp.Or(show.Line(e.Error), "cancelled")
	case item.Failure != nil:
		c.Outcome, c.Type, c.Message = junit.Errored, item.Failure.Kind, show.Line(e.Error)
	case e.Verdict == "signaled":
		c.Outcome = junit.Failed
		c.Message, _ = verdict(e)
	case e.Verdict != "exited":
		c.Outcome = junit.Errored
		c.Message, _ = verdict(e)
	case e.ExitCode != 0:
		c.Outcome, c.Type, c.Message = junit.Failed, "exit", fmt.Sprintf("exit code %d", e.ExitCode)
	}
	return c
}

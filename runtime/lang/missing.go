package lang

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// Missing tells whether a run failed because the VM lacks the toolchain: the
// error wraps runtime.ErrUnavailable and its hint says where to get it. Nil means
// that it did not.
func (l Language) Missing(r agent.Result, version string) error {
	program := r.Missing
	if program == "" && r.ExitCode == 127 {
		program = noAlternative(r.Stderr.Head)
	}
	if program == "" {
		return nil
	}
	name := l.Name
	if version != "" {
		name += " " + version
	}
	return runtime.WithHint(
		fmt.Errorf("%w: %s is not in this VM: it has no %s", runtime.ErrUnavailable, name, program),
		l.source(version))
}

// noAlternative returns the programs that a chooser looked for in vain.
func noAlternative(stderr []byte) string {
	_, after, found := bytes.Cut(stderr, []byte(noProgram))
	if !found {
		return ""
	}
	programs, _, _ := bytes.Cut(after, []byte("\n"))
	return strings.ReplaceAll(string(programs), ", ", " or ")
}

// source says where the toolchain can be had from.
func (l Language) source(version string) string {
	var ways []string
	if image, err := l.ImageFor(version); err == nil {
		ways = append(ways, "create the VM from an image that has it, such as "+image)
	}
	if l.Package != "" && version == "" {
		ways = append(ways, fmt.Sprintf("install it where the toolchains come from (Debian: apt-get install %s)", l.Package))
	}
	if len(ways) == 0 {
		return "create the VM from an image that has it"
	}
	return strings.Join(ways, ", or ")
}

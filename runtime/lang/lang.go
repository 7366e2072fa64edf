// Package lang is the language table: how code of each language is placed, built
// and run inside a VM, and where its toolchain comes from.
//
// A language is one row (rows.go) and its test programs (langtest/testdata/ID).
// Users add rows and change them in their configuration (Override).
package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang/trace"
)

// Language is one row of the table. It is data; copies are independent as long
// as nobody writes into the slices.
//
// Build and Run are argument templates. In every argument {file} stands for the
// source's path, {name} for its name without the extension, {out} for the path
// of a compiled program, {dir} for the scratch folder that holds both, {class}
// for what Prepare found to be the main class. The first argument names the program: alternatives are
// separated by bars, "lua5.4|lua", and the first one that the VM has is taken.
// The user's arguments follow Run.
type Language struct {
	ID          string
	Name        string   // for people
	Aliases     []string // other names that Find takes
	Extensions  []string // with the dot; lower-case
	LanguageIDs []string // the editor's (LSP) names for it

	FileName string   // the source's name when the caller gives none
	Build    []string // nil = nothing to build
	Run      []string
	Env      []string // KEY=VALUE; the caller's own come after, and win
	Support  []Support

	// Prepare makes code that is valid as an excerpt, such as the statements
	// of a Java method, valid as a file, without moving its lines. It may
	// rename the file and add others. Nil = code is taken as it is.
	Prepare func(*Source)

	Image          string   // OCI reference with %s for the version; "" = none known
	DefaultVersion string   // fills %s when no version was asked for
	Versioned      string   // a program of one version on a host, with %s: "python%s"; "" = hosts have no such name
	VersionCommand []string // prints the toolchain's version
	Package        string   // Debian's package, for the hint when it is missing

	Manager string // package manager, a row of managers.go; "" = none
	// BuildArgs is a file below the home of the VM's user that the manager leaves
	// there: further arguments of Build, one a line, which its program takes as
	// @FILE. "" = none.
	BuildArgs string

	// Messages reads what the toolchain and failing programs write to standard
	// error. Nil = trace.GCC, the form that many share.
	Messages trace.Reader

	// Session starts an interpreter that is kept between executions: a kernel,
	// which speaks with the guest as package agent/guest describes. {dir} is the
	// folder that holds Kernel. Nil = none can be kept.
	Session []string
	Kernel  []Support

	// Zygote makes of the interpreter that Run starts one that waits, from which
	// executions are forked. Nil = each is started.
	Zygote *agent.Zygote
}

// Support is a file that goes beside the source.
type Support struct {
	Name string
	Data []byte
}

// Source is code on its way into a VM.
type Source struct {
	FileName string
	Code     []byte
	Class    string // {class} in templates
	Support  []Support
}

// ImageFor returns the OCI reference for a version, "" = the default one. It
// fails when the row has no image, or its image has no place for a version.
func (l Language) ImageFor(version string) (string, error) {
	switch {
	case l.Image == "":
		return "", runtime.WithHint(
			fmt.Errorf("no image is known for %s", l.Name),
			fmt.Sprintf("name one when creating the VM, or set languages.%s.image in the configuration", l.ID))
	case !strings.Contains(l.Image, "%s"):
		if version != "" {
			return "", runtime.WithHint(
				fmt.Errorf("the image %s of %s has no place for a version", l.Image, l.Name),
				fmt.Sprintf("write %%s for the version into languages.%s.image in the configuration", l.ID))
		}
		return l.Image, nil
	case version == "":
		version = l.DefaultVersion
	}
	return strings.Replace(l.Image, "%s", version, 1), nil
}

// HostCommands returns the programs that must be on a host's PATH for code of
// this language to run there. Of the alternatives in one entry one is enough.
// It fails when a version is asked for that host programs cannot be told by.
func (l Language) HostCommands(version string) ([][]string, error) {
	if version != "" && l.Versioned == "" {
		image := ""
		if ref, err := l.ImageFor(version); err == nil {
			image = ": " + ref
		}
		return nil, runtime.WithHint(
			fmt.Errorf("%w: host programs of %s carry no version", runtime.ErrUnavailable, l.Name),
			"use an image"+image)
	}
	var needed [][]string
	for _, template := range [][]string{l.Build, l.Run} {
		if len(template) == 0 || strings.HasPrefix(template[0], "{") {
			continue
		}
		programs := l.programs(template[0], version)
		if len(needed) == 0 || !slices.Equal(needed[0], programs) {
			needed = append(needed, programs)
		}
	}
	return needed, nil
}

// programs returns the alternatives that a template's first argument names. A
// version replaces those of the toolchain's own programs.
func (l Language) programs(first, version string) []string {
	if version != "" && l.Versioned != "" {
		return []string{strings.Replace(l.Versioned, "%s", version, 1)}
	}
	return strings.Split(first, "|")
}

package lang

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/itechsmart/vm/runtime/agent"
)

// PlanOptions are the circumstances of one execution.
type PlanOptions struct {
	ID       string       // Run.ID
	Version  string       // as asked for; "" = any
	Host     bool         // the VM has the host's toolchains: a version picks the program, not the image
	FileName string       // the caller's name for the source, for messages; its folders are dropped
	Dir      string       // working directory; "" = the VM user's home
	Files    []agent.File // placed alongside; relative ones are below Dir
	Session  string       // name of the session to execute it in; "" = none
	// Scratch is a folder that has been made for the execution, which gives it up
	// to it; "" = one is made. Folder is where in it the source goes, beside what
	// it asks for.
	Scratch, Folder string
}

// Plan returns the run that executes code with args. The source and whatever is
// built from it live in a scratch folder that goes with the run; the program's
// working directory is the VM's own, so that files which it writes are there for
// the next execution. What the plan leaves open (Stdin, Timeout, limits, more
// Env) is for the caller to set.
func (l Language) Plan(code []byte, args []string, o PlanOptions) agent.Run {
	if o.Session != "" {
		return l.planSession(code, args, o)
	}
	source := &Source{FileName: l.fileName(o.FileName), Code: code}
	if l.Prepare != nil {
		l.Prepare(source)
	}
	scratch := scratchOf(o)
	stem := strings.TrimSuffix(source.FileName, path.Ext(source.FileName))
	fill := strings.NewReplacer(
		"{file}", path.Join(scratch, o.Folder, source.FileName),
		"{name}", stem,
		"{out}", path.Join(scratch, stem),
		"{dir}", scratch,
		"{class}", source.Class,
	)
	run := agent.Run{
		ID:      o.ID,
		Dir:     o.Dir,
		Scratch: scratch,
		Files:   slices.Concat(o.Files, imports(o.Files, scratch)),
		Build:   l.withPackages(l.command(l.Build, fill, o)),
		Command: append(l.command(l.Run, fill, o), args...),
		Env:     slices.Clone(l.Env),
	}
	if l.Zygote != nil {
		own := *l.Zygote // sending it changes it for a moment
		run.Zygote = &own
	}
	for _, s := range slices.Concat(l.Support, source.Support) {
		run.Files = append(run.Files, agent.File{Path: path.Join(scratch, s.Name), Data: s.Data})
	}
	run.Files = append(run.Files, agent.File{Path: path.Join(scratch, o.Folder, source.FileName), Data: source.Code})
	return run
}

// imports repeats the relative source files beside the main one: many languages
// look for imports next to the file that asks for them. Data files are read from
// the working directory and need no second copy.
func imports(files []agent.File, scratch string) []agent.File {
	var beside []agent.File
	for _, f := range files {
		if path.IsAbs(f.Path) || !filepath.IsLocal(f.Path) || !sourceExtensions[strings.ToLower(path.Ext(f.Path))] {
			continue
		}
		f.Path = path.Join(scratch, f.Path)
		beside = append(beside, f)
	}
	return beside
}

// plainName is what a source may be called: it turns up in compilers' arguments,
// and must not look like an option or need quoting there.
var plainName = pattern(`^[\pL\pN_][\pL\pN_ .+@-]{0,99}$`)

// fileName returns the name that the source gets: the caller's when the
// toolchain can take it, so that messages speak of the caller's file.
func (l Language) fileName(asked string) string {
	base := asked[strings.LastIndexAny(asked, `/\`)+1:]
	if plainName().MatchString(base) && slices.Contains(l.Extensions, strings.ToLower(path.Ext(base))) {
		return base
	}
	return l.FileName
}

// command fills a template in. A program with alternatives is chosen inside the
// VM, by a shell that replaces itself with it.
func (l Language) command(template []string, fill *strings.Replacer, o PlanOptions) []string {
	if len(template) == 0 {
		return nil
	}
	var argv []string
	for _, part := range template[1:] {
		argv = append(argv, fill.Replace(part))
	}
	first := fill.Replace(template[0])
	if strings.HasPrefix(template[0], "{") {
		return append([]string{first}, argv...)
	}
	version := ""
	if o.Host {
		version = o.Version
	}
	programs := l.programs(first, version)
	if len(programs) == 1 {
		return append(programs, argv...)
	}
	return append([]string{"sh", "-c", chooser(programs), programs[0]}, argv...)
}

// withPackages has a build take the arguments that packages have brought, if any
// have. Nothing of that is known outside the VM.
func (l Language) withPackages(argv []string) []string {
	if l.BuildArgs == "" || len(argv) == 0 {
		return argv
	}
	script := fmt.Sprintf(
		`command -v "$0" >/dev/null || { echo "%s$0" >&2; exit 127; }; if [ -f "$HOME/%s" ]; then set -- "$@" "@$HOME/%[2]s"; fi; exec "$0" "$@"`,
		noProgram, l.BuildArgs)
	return append([]string{"sh", "-c", script}, argv...)
}

// noProgram begins the line that says that no alternative is there.
const noProgram = "vm: no such program: "

func chooser(programs []string) string {
	return fmt.Sprintf(
		`for p in %s; do command -v $p >/dev/null && exec $p "$@"; done; echo '%s%s' >&2; exit 127`,
		strings.Join(programs, " "), noProgram, strings.Join(programs, ", "))
}

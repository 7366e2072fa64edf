package lang

import (
	"path"
	"slices"
	"strings"

	"github.com/itechsmart/vm/runtime/agent"
)

func scratchOf(o PlanOptions) string {
	if o.Scratch != "" {
		return o.Scratch
	}
	return scratchPrefix + o.ID
}

// planSession returns the run that has a kept interpreter execute code. The
// source is taken as it is: what a language asks of a file that stands alone, it
// does not ask of a session.
func (l Language) planSession(code []byte, args []string, o PlanOptions) agent.Run {
	scratch, kernel := scratchOf(o), SessionScratch(o.Session)
	file := path.Join(scratch, o.Folder, l.fileName(o.FileName))
	run := agent.Run{
		ID:      o.ID,
		Dir:     o.Dir,
		Scratch: scratch,
		Files:   append(slices.Concat(o.Files, imports(o.Files, scratch)), agent.File{Path: file, Data: code}),
		Command: l.command(l.Session, strings.NewReplacer("{dir}", kernel), o),
		Env:     slices.Clone(l.Env),
		Session: &agent.Session{Name: o.Session, Language: l.ID, File: file, Args: args, Scratch: kernel},
	}
	for _, s := range l.Kernel {
		run.Session.Files = append(run.Session.Files, agent.File{Path: path.Join(kernel, s.Name), Data: s.Data})
	}
	return run
}

package guest

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/itechsmart/vm/runtime/agent"
)

// checkZygote says what is wrong with what a run tells of its interpreter.
func checkZygote(spec *agent.Run) error {
	z := spec.Zygote
	if z == nil {
		return nil
	}
	if z.Options < 1 || z.Options >= len(spec.Command) || !path.IsAbs(spec.Command[z.Options]) {
		return invalid("the run's command has no file of code behind %d options", z.Options)
	}
	return nil
}

// forkable reports whether a program may be forked from an interpreter that waits.
// What runs in a session, as root or on a terminal is started.
func (p *Program) forkable() bool {
	if p.Zygote == nil || p.Root || p.Terminal != nil {
		return false
	}
	return !slices.ContainsFunc(p.Env, func(kv string) bool {
		return matches(p.Zygote.Unless, kv) && !matches(p.Zygote.Although, kv)
	})
}

func matches(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		prefix, found := strings.CutSuffix(pattern, "*")
		return pattern == text || found && strings.HasPrefix(text, prefix)
	})
}

// breed tells the interpreters apart from which programs can be forked: two
// programs of one breed differ in nothing that an interpreter has when it starts.
func (p *Program) breed(program string) string {
	parts := slices.Concat([]string{program, strconv.Itoa(p.Zygote.Options)}, p.Argv[:p.Zygote.Options], p.Env)
	return strings.Join(parts, "\x00")
}

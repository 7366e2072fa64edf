package lang

import (
	"regexp"
	"sync"
)

// pattern compiles an expression when it is first used: the table is in every
// program that starts, and few need its patterns.
func pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

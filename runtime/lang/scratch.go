package lang

import (
	"crypto/rand"
	"strings"
)

// Folders in a VM that executions and sessions have for themselves while they
// last.
const (
	scratchPrefix = "/tmp/run-"
	sessionPrefix = "/tmp/session-"
)

// NewScratch names a scratch folder for PlanOptions that nobody else has.
func NewScratch() string { return scratchPrefix + "w" + strings.ToLower(rand.Text()[:8]) }

// SessionScratch is the folder of a session's interpreter. It goes with that.
func SessionScratch(session string) string { return sessionPrefix + session }

// Scratch reports whether a path in a VM is, or is in, the folder of an execution
// or a session.
func Scratch(path string) bool { return scratchFolder().MatchString(path) }

var scratchFolder = pattern(`^(` + scratchPrefix + `([0-9]+|w[a-z2-7]{8})|` + sessionPrefix + `[^/]+)(/|$)`)

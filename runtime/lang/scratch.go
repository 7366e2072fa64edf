package lang

var scratchFolder = pattern(`^/tmp/(run-[0-9]+|session-[^/]+)(/|$)`)

// Scratch reports whether a path in a VM is, or is in, one of the folders that
// executions and sessions have for themselves while they last.
func Scratch(path string) bool { return scratchFolder().MatchString(path) }

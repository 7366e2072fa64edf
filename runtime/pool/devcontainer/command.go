package devcontainer

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// command is a life-cycle command as lines of a shell script: a string is one for
// a shell, a list is a program and its arguments, an object holds several by name.
type command string

// UnmarshalJSON takes any of the three.
func (c *command) UnmarshalJSON(data []byte) error {
	lines, err := script(data, true)
	*c = command(lines)
	return err
}

func script(data []byte, named bool) (string, error) {
	var line string
	var arguments []string
	var several map[string]json.RawMessage
	switch {
	case json.Unmarshal(data, &line) == nil:
		return shell(line), nil
	case json.Unmarshal(data, &arguments) == nil:
		return program(arguments), nil
	case !named || json.Unmarshal(data, &several) != nil:
		return "", errors.New("a command is a string, a list of strings, or an object of such")
	}
	// Side by side in the original; one after the other here, so that their
	// output can be read.
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(several)) {
		line, err := script(several[name], false)
		if err != nil {
			return "", err
		}
		lines.WriteString(line)
	}
	return lines.String(), nil
}

// shell runs a line in a shell of its own, so that cd and set do not reach the
// lines after it.
func shell(line string) string {
	if strings.TrimSpace(line) == "" {
		return ""
	}
	return program([]string{"sh", "-c", line})
}

func program(arguments []string) string {
	if len(arguments) == 0 {
		return ""
	}
	quoted := make([]string, len(arguments))
	for i, a := range arguments {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ") + "\n"
}

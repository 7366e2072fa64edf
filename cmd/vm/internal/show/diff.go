package show

import (
	"fmt"
	"strings"
)

// Diff colours a unified diff and keeps its first most lines. Nothing in its
// text takes effect on the terminal.
func Diff(p Palette, diff string, most int) string {
	var out strings.Builder
	left := most
	for line := range strings.Lines(diff) {
		if left == 0 {
			break
		}
		left--
		diff = diff[len(line):]
		line = inert(strings.TrimSuffix(line, "\n"))
		out.WriteString(p.Paint(diffColour(line), line))
		out.WriteByte('\n')
	}
	if diff != "" {
		out.WriteString(p.Paint(Dim, fmt.Sprintf("… %s; --json has more", plural(strings.Count(diff, "\n"), "more line", "more lines"))))
		out.WriteByte('\n')
	}
	return out.String()
}

// diffColour is how a line of a unified diff looks.
func diffColour(line string) Colour {
	switch {
	case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
		return Bold
	case strings.HasPrefix(line, "@@"):
		return Cyan
	case strings.HasPrefix(line, "-"):
		return Red
	case strings.HasPrefix(line, "+"):
		return Green
	}
	return Plain
}

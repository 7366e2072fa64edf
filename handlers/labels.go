package handlers

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// label is a result in a few words: "→ 42 · 3 ms · python-1".
func label(x Execution) string {
	value := cmp.Or(x.Result, lastLine(x.Output))
	mark := "→"
	if !succeeded(x) {
		mark, value = "✗", failure(x)
	}
	return strings.Join([]string{strings.TrimSpace(mark + " " + shorten(value)), duration(x.ExecutionTime), x.VMName}, " · ")
}

// failure is why an execution was no success.
func failure(x Execution) string {
	for _, d := range x.Diagnostics {
		if d.Severity == 1 {
			return d.Message
		}
	}
	return ended(x)
}

func succeeded(x Execution) bool { return x.Verdict == "exited" && x.ExitCode == 0 }

func batchLabel(b BatchResult) string {
	failed := 0
	for _, r := range b.Results {
		if r.Failure != nil || !succeeded(r.Execution) {
			failed++
		}
	}
	parts := []string{fmt.Sprintf("→ %d VMs", len(b.Results)), "all alike"}
	if len(b.Groups) > 1 {
		parts[1] = fmt.Sprintf("%d different answers", len(b.Groups))
	}
	if failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", failed))
	}
	return strings.Join(parts, " · ")
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndex(s, "\n")+1:]
}

// shorten cuts a value to what fits behind a line of code.
func shorten(s string) string {
	const most = 60
	s, _, _ = strings.Cut(s, "\n")
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

func duration(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

// markdown is a result for a hover: how each execution ended, what it took, and
// the beginning of what it wrote.
func (r result) markdown() string {
	var b strings.Builder
	for i, x := range r.executions {
		if i > 0 {
			b.WriteString("\n---\n\n")
		}
		fmt.Fprintf(&b, "**%s** in `%s` · %s · %d MiB · %s\n\n", ended(x), x.VMName, duration(x.ExecutionTime), x.PeakMemoryMiB,
			x.ExecutedAt.Local().Format("15:04:05"))
		for _, part := range []string{x.Result, x.Output, x.Error} {
			if part = strings.TrimRight(part, "\n"); part != "" {
				fmt.Fprintf(&b, "%s\n\n", fenced(firstLines(part)))
			}
		}
		fmt.Fprintf(&b, "[Execution #%d](%s)\n", x.ID, executionURI(x.ID))
	}
	return b.String()
}

func ended(x Execution) string {
	switch {
	case x.Verdict != "exited":
		return strings.TrimSpace(x.Verdict + " " + x.Signal)
	case x.ExitCode != 0:
		return "exit code " + strconv.Itoa(x.ExitCode)
	}
	return "success"
}

// firstLines cuts output to what a hover has room for.
func firstLines(s string) string {
	const most = 20
	lines := strings.SplitN(s, "\n", most+1)
	if len(lines) > most {
		lines[most] = "…"
	}
	return strings.Join(lines, "\n")
}

// fenced is text as a Markdown block that it cannot end by itself.
func fenced(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "text\n" + s + "\n" + fence
}

func executionURI(id int64) string { return fmt.Sprintf("%s:/executions/%d", Scheme, id) }

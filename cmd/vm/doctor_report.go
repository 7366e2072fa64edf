package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func (t *terminal) writeDiagnosis(d diagnosis) error {
	r := &report{Palette: t.palette(t.stdout), width: t.width()}
	err := show.Fields(r, r.Palette, []show.Field{
		{Name: "configuration", Value: cmp.Or(d.Config, "none; "+handlers.DefaultConfigFile()+" would be read")},
		{Name: "state folder", Value: d.StateDir},
		{Name: "user", Value: d.User},
		{Name: "runtime", Value: d.Runtime},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(r, "\n%s\n", r.Paint(show.Bold, "Database"))
	r.finding(d.Database.Available, d.Database.URL, d.Database.Reason, d.Database.Hint)
	fmt.Fprintf(r, "\n%s\n", r.Paint(show.Bold, "Runtimes"))
	for _, state := range d.Runtimes {
		r.runtime(state)
	}
	fmt.Fprintf(r, "\n%s\n", r.Paint(show.Bold, "Languages"))
	r.languages(d.Languages)
	fmt.Fprintf(r, "\n%s\n", conclusion(d))
	_, err = t.stdout.WriteString(r.String())
	return err
}

// report is a diagnosis being written, with its layout.
type report struct {
	strings.Builder
	show.Palette
	width int
}

// finding says whether something works, and if not why and what to do.
func (r *report) finding(works bool, what, reason, hint string) {
	mark := r.Paint(show.Green, "✔")
	if !works {
		mark = r.Paint(show.Red, "✘")
	}
	fmt.Fprintf(r, "  %s %s\n", mark, what)
	r.note(reason, hint)
}

func (r *report) note(problem, mend string) {
	if problem != "" {
		r.paragraph("", problem)
	}
	if mend != "" {
		r.paragraph("mend: ", mend)
	}
}

// paragraph writes text below a finding, in lines that fit; a label is coloured.
func (r *report) paragraph(label, text string) {
	const indent = 6
	width := r.width
	if width > 0 {
		width = max(20, width-indent-len(label))
	}
	for i, line := range show.Wrap(show.Line(text), width) {
		if i > 0 {
			line = strings.Repeat(" ", len(label)) + line
		} else {
			line = r.Paint(show.Cyan, label) + line
		}
		fmt.Fprintf(r, "%*s%s\n", indent, "", line)
	}
}

func (r *report) runtime(state handlers.RuntimeState) {
	r.finding(state.Available, strings.TrimSpace(r.Paint(show.Bold, state.Name)+" "+show.Line(state.Version)), state.Reason, state.Hint)
	if !state.Available {
		return
	}
	var held []string
	for _, limit := range []struct{ name, strength string }{
		{"cpu", string(state.Enforcement.CPU)}, {"memory", string(state.Enforcement.Memory)}, {"disk", string(state.Enforcement.Disk)},
		{"processes", string(state.Enforcement.Pids)}, {"network", string(state.Enforcement.Network)},
	} {
		held = append(held, limit.name+" "+r.Paint(strengthColour(limit.strength), limit.strength))
	}
	fmt.Fprintf(r, "      %s\n", strings.Join(held, " · "))
	for _, n := range state.Notes {
		r.note(n.Problem, n.Mend)
	}
}

// languages lists them by where they run now.
func (r *report) languages(list []handlers.Language) {
	byPlace := map[string][]string{}
	for _, l := range list {
		place := strings.Join(l.Runtimes, " and ")
		byPlace[place] = append(byPlace[place], l.ID)
	}
	for _, place := range sortedKeys(byPlace) {
		if place != "" {
			fmt.Fprintf(r, "  %s\n", r.Paint(show.Green, "now, on "+place+":"))
			r.paragraph("", strings.Join(byPlace[place], ", "))
		}
	}
	if rest := byPlace[""]; len(rest) > 0 {
		fmt.Fprintf(r, "  %s\n", r.Paint(show.Dim, "with an image, once pulled:"))
		r.paragraph("", strings.Join(rest, ", "))
	}
}

func conclusion(d diagnosis) string {
	switch {
	case d.works() == "":
		return "No runtime works here yet: nothing can run."
	case !d.Database.Available:
		return "The database does not work: nothing can run."
	}
	return "Ready. Try:  vm run -l python 'print(6 * 7)'"
}

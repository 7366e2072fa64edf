package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

func doctorCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "doctor",
		GroupID: groupPool,
		Short:   "Say what works here, and how to mend the rest",
		Long: `Try the database and every runtime, and say of each what works, how hard it
holds limits (hard: the kernel or the engine refuses; watched: measured and acted
upon; none), and what would mend the rest.`,
		Example: `  vm doctor
  ITECHSMART_DATABASE=postgres://vm@db.example/vm vm doctor`,
		Annotations:       map[string]string{annotationExit: "0  the database and at least one runtime work\n1  else"},
		Args:              takes(0, 0),
		ValidArgsFunction: words(),
		RunE:              func(cmd *cobra.Command, _ []string) error { return doctor(cmd.Context(), t) },
	}
}

// diagnosis is what doctor finds, for --json.
type diagnosis struct {
	Config    string                  `json:"config"` // the configuration file; "" = there is none
	StateDir  string                  `json:"stateDir"`
	User      string                  `json:"user"`
	Runtime   string                  `json:"runtime"` // the setting
	Database  databaseState           `json:"database"`
	Runtimes  []handlers.RuntimeState `json:"runtimes"`
	Languages []handlers.Language     `json:"languages"`
}

type databaseState struct {
	URL       string `json:"url"` // without its password
	Available bool   `json:"available"`
	Reason    string `json:"reason,omitempty"`
	Hint      string `json:"hint,omitempty"`
}

func doctor(ctx context.Context, t *terminal) error {
	t.status.begin("Trying what is here")
	d, err := t.diagnose(ctx)
	t.status.end()
	if err != nil {
		return err
	}
	if t.json {
		err = writeJSON(t.stdout, d)
	} else {
		err = t.writeDiagnosis(d)
	}
	if err == nil && !(d.Database.Available && d.works() != "") {
		return errSilent
	}
	return err
}

// works is the first runtime that does; "" = none.
func (d diagnosis) works() string {
	for _, r := range d.Runtimes {
		if r.Available {
			return r.Name
		}
	}
	return ""
}

func (t *terminal) diagnose(ctx context.Context) (diagnosis, error) {
	settings, err := t.settings()
	if err != nil {
		return diagnosis{}, err
	}
	d := diagnosis{
		StateDir: stateDir(), User: settings.UserName(), Runtime: cmp.Or(settings.Runtime, "auto"),
		Database: databaseState{URL: redacted(databaseOf(settings)), Available: true},
	}
	config := cmp.Or(t.configFile, handlers.DefaultConfigFile())
	if _, err := os.Stat(config); err == nil {
		d.Config = config
	}
	_, err = t.open(ctx)
	if err != nil {
		failure := t.failure(err)
		d.Database.Available, d.Database.Reason = false, failure.Message
		if failure.Data != nil {
			d.Database.Hint = failure.Data.Hint
		}
		forget, err := t.openBeside(ctx, settings)
		if err != nil {
			return d, err
		}
		defer forget()
	}
	pool, err := call[handlers.PoolStatusResult](ctx, t, "vm/poolStatus", handlers.NoParams{})
	if err != nil {
		return d, err
	}
	languages, err := call[handlers.LanguagesResult](ctx, t, "vm/languages", handlers.NoParams{})
	d.Runtimes, d.Languages = pool.Runtimes, languages.Languages
	return d, err
}

// openBeside opens the pool on a database that is thrown away, so that runtimes
// can be tried although the real one is out of reach.
func (t *terminal) openBeside(ctx context.Context, settings handlers.Settings) (forget func(), err error) {
	dir, err := os.MkdirTemp("", "vm-doctor-")
	if err != nil {
		return nil, err
	}
	settings.Database = filepath.Join(dir, "vm.db")
	if err := t.openAs(ctx, settings, t.log()); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return func() {
		t.close()
		os.RemoveAll(dir)
	}, nil
}

// redacted is a database's address without its password.
func redacted(address string) string {
	if u, err := url.Parse(address); err == nil && u.Scheme != "" {
		return u.Redacted()
	}
	return address
}

func (t *terminal) writeDiagnosis(d diagnosis) error {
	p := t.palette(t.stdout)
	var out strings.Builder
	err := show.Fields(&out, p, []show.Field{
		{Name: "configuration", Value: cmp.Or(d.Config, "none; "+handlers.DefaultConfigFile()+" would be read")},
		{Name: "state folder", Value: d.StateDir},
		{Name: "user", Value: d.User},
		{Name: "runtime", Value: d.Runtime},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(&out, "\n%s\n", p.Paint(show.Bold, "Database"))
	writeFinding(&out, p, d.Database.Available, d.Database.URL, d.Database.Reason, d.Database.Hint)
	fmt.Fprintf(&out, "\n%s\n", p.Paint(show.Bold, "Runtimes"))
	for _, r := range d.Runtimes {
		writeRuntime(&out, p, r)
	}
	fmt.Fprintf(&out, "\n%s\n", p.Paint(show.Bold, "Languages"))
	writeRunnable(&out, p, d, t.width())
	fmt.Fprintf(&out, "\n%s\n", conclusion(d))
	_, err = t.stdout.WriteString(out.String())
	return err
}

// writeFinding says whether something works, and if not why and what to do.
func writeFinding(out *strings.Builder, p show.Palette, works bool, what, reason, hint string) {
	mark := p.Paint(show.Green, "✔")
	if !works {
		mark = p.Paint(show.Red, "✘")
	}
	fmt.Fprintf(out, "  %s %s\n", mark, what)
	writeNote(out, p, reason, hint)
}

func writeNote(out *strings.Builder, p show.Palette, problem, mend string) {
	if problem != "" {
		fmt.Fprintf(out, "      %s\n", show.Line(problem))
	}
	if mend != "" {
		fmt.Fprintf(out, "      %s %s\n", p.Paint(show.Cyan, "mend:"), show.Line(mend))
	}
}

func writeRuntime(out *strings.Builder, p show.Palette, r handlers.RuntimeState) {
	writeFinding(out, p, r.Available, strings.TrimSpace(p.Paint(show.Bold, r.Name)+" "+r.Version), r.Reason, r.Hint)
	if !r.Available {
		return
	}
	var held []string
	for _, limit := range []struct{ name, strength string }{
		{"cpu", string(r.Enforcement.CPU)}, {"memory", string(r.Enforcement.Memory)}, {"disk", string(r.Enforcement.Disk)},
		{"processes", string(r.Enforcement.Pids)}, {"network", string(r.Enforcement.Network)},
	} {
		held = append(held, limit.name+" "+p.Paint(strengthColour(limit.strength), limit.strength))
	}
	fmt.Fprintf(out, "      %s\n", strings.Join(held, " · "))
	for _, n := range r.Notes {
		writeNote(out, p, n.Problem, n.Mend)
	}
}

// writeRunnable lists languages by where they run now.
func writeRunnable(out *strings.Builder, p show.Palette, d diagnosis, width int) {
	byPlace := map[string][]string{}
	for _, l := range d.Languages {
		place := strings.Join(l.Runtimes, " and ")
		byPlace[place] = append(byPlace[place], l.ID)
	}
	for _, place := range sortedKeys(byPlace) {
		if place != "" {
			wrap(out, p.Paint(show.Green, "now, on "+place+":"), byPlace[place], width)
		}
	}
	if rest := byPlace[""]; len(rest) > 0 {
		wrap(out, p.Paint(show.Dim, "with an image, once pulled:"), rest, width)
	}
}

// wrap writes a list below a title, in lines that fit.
func wrap(out *strings.Builder, title string, words []string, width int) {
	if width <= 0 {
		width = 80
	}
	fmt.Fprintf(out, "  %s\n", title)
	line := "     "
	for i, word := range words {
		if i < len(words)-1 {
			word += ","
		}
		if show.Width(line)+1+show.Width(word) > width {
			out.WriteString(line + "\n")
			line = "     "
		}
		line += " " + word
	}
	out.WriteString(line + "\n")
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

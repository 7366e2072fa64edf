package main

import (
	"cmp"
	"context"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

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

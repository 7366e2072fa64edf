package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/all"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/pool"
)

// release is set by the linker.
var release string

// version is what make build sets it to; else the module's, as the build
// recorded it.
var version = func() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}()

// stateDir is where this user's state is kept, after the XDG Base Directory
// Specification.
func stateDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "itechsmart")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = os.TempDir()
	}
	return filepath.Join(home, ".local", "state", "itechsmart")
}

// open makes the pool that the settings describe: database, drivers, languages.
func open(ctx context.Context, s handlers.Settings, log *slog.Logger) (handlers.Opened, error) {
	languages, err := lang.New(s.Languages)
	if err != nil {
		return handlers.Opened{}, err
	}
	drivers, err := all.Drivers(all.Options{StateDir: stateDir()})
	if err != nil {
		return handlers.Opened{}, &pool.Error{Kind: pool.ErrUnavailable, Message: runtime.Plain(err), Hint: runtime.Hint(err), Cause: err}
	}
	store, err := db.Open(ctx, databaseOf(s))
	if err != nil {
		return handlers.Opened{}, unopened(err)
	}
	p := pool.New(pool.Options{
		Store: store, Drivers: drivers, Languages: languages, Runtime: s.Runtime,
		Quota: quotaOf(s), Defaults: defaultsOf(s), Log: log,
		Packages: pool.PackageSources{Indexes: s.Packages.Indexes, Proxy: s.Packages.Proxy},
	})
	return handlers.Opened{Pool: p, Close: func() {
		p.Close()
		for _, d := range drivers {
			if err := d.Close(); err != nil {
				log.Warn("closing a runtime", "runtime", d.Name(), "error", err)
			}
		}
		if err := store.Close(); err != nil {
			log.Warn("closing the database", "error", err)
		}
	}}, nil
}

func databaseOf(s handlers.Settings) string {
	if s.Database != "" {
		return s.Database
	}
	return filepath.Join(stateDir(), "vm.db")
}

// unopened explains why there is no database, with what to do about it.
func unopened(err error) error {
	failure := &pool.Error{Kind: pool.ErrUnavailable, Field: "database", Message: fmt.Sprintf("the database cannot be opened: %v", err),
		Hint: "check the setting database, or leave it out to use a file", Cause: err}
	if errors.Is(err, db.ErrGone) {
		failure.Hint = "start it, or try again when it is back"
	}
	return failure
}

func quotaOf(s handlers.Settings) db.Quota {
	q := pool.StandardQuota()
	setIf(&q.PerUser, s.Limits.VMsPerUser)
	setIf(&q.Total, s.Limits.VMsInAll)
	return q
}

func defaultsOf(s handlers.Settings) pool.Defaults {
	d := pool.StandardDefaults()
	l := s.Limits
	setIf(&d.Limits.CPU, l.CPU)
	setIf(&d.Limits.MemoryMiB, l.Memory)
	setIf(&d.Limits.DiskMiB, l.Disk)
	setIf(&d.Limits.Pids, l.Pids)
	setIf(&d.Timeout, seconds(l.Timeout))
	setIf(&d.MaxTimeout, seconds(l.MaxTimeout))
	setIf(&d.IdleTimeout, seconds(l.IdleTimeout))
	if s.Network != "" {
		d.Network = runtime.Network{Mode: s.Network}
	}
	setIf(&d.Checkpoint, s.Checkpoint)
	return d
}

// setIf replaces a default by a setting that is not zero.
func setIf[T comparable](field *T, value T) {
	var zero T
	if value != zero {
		*field = value
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

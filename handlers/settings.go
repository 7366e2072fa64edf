package handlers

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/pool"
)

// Settings are what a user or an editor can set: in the configuration file, in
// the environment (ITECHSMART_RUNTIME, _DATABASE, _USER, _NETWORK, _CHECKPOINT,
// _PACKAGE_INDEXES, _PACKAGE_PROXY), in the options of initialize and in workspace/didChangeConfiguration. A later source
// wins, field by field.
type Settings struct {
	Runtime    string                   `json:"runtime,omitempty" yaml:"runtime" enum:"auto,docker,native,vagrant" doc:"what VMs are made of; default auto"`
	Database   string                   `json:"database,omitempty" yaml:"database" doc:"a postgres:// URL or a SQLite path; default: a file in the state folder"`
	User       string                   `json:"user,omitempty" yaml:"user" doc:"whose VMs; default: the user of the system"`
	Limits     LimitSettings            `json:"limits,omitzero" yaml:"limits"`
	Languages  map[string]lang.Override `json:"languages,omitempty" yaml:"languages" doc:"rows to add to the language table, and changes to its rows"`
	Network    runtime.NetworkMode      `json:"network,omitempty" yaml:"network" enum:"none,allowlist,full" doc:"of VMs that do not say; default none"`
	Checkpoint pool.CheckpointPolicy    `json:"checkpoint,omitempty" yaml:"checkpoint" enum:"auto,always,never" doc:"whether executions that do not say get a snapshot first, for vm/undo; default auto: where it costs milliseconds, of VMs that were made by hand"`
	Packages   PackageSettings          `json:"packages,omitzero" yaml:"packages"`
}

// LimitSettings replace the defaults of the wire contract; zero = as there.
type LimitSettings struct {
	CPU         float64 `json:"cpu,omitempty" yaml:"cpu" doc:"cores"`
	Memory      int     `json:"memory,omitempty" yaml:"memory" doc:"MiB"`
	Disk        int     `json:"disk,omitempty" yaml:"disk" doc:"MiB"`
	Pids        int     `json:"pids,omitempty" yaml:"pids"`
	Timeout     float64 `json:"timeout,omitempty" yaml:"timeout" doc:"seconds"`
	MaxTimeout  float64 `json:"maxTimeout,omitempty" yaml:"maxTimeout" doc:"seconds"`
	IdleTimeout float64 `json:"idleTimeout,omitempty" yaml:"idleTimeout" doc:"seconds; default: never"`
	VMsPerUser  int     `json:"vmsPerUser,omitempty" yaml:"vmsPerUser"`
	VMsInAll    int     `json:"vmsInAll,omitempty" yaml:"vmsInAll"`
}

// LoadSettings reads the configuration file, when there is one, and then the
// environment. An empty path means the user's own file.
func LoadSettings(path string) (Settings, error) {
	var s Settings
	asked := path != ""
	if !asked {
		path = DefaultConfigFile()
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		err = nil
	}
	if err != nil {
		return s, fmt.Errorf("configuration: %w", err)
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	dec.KnownFields(true)
	if err := dec.Decode(&s); err != nil && len(strings.TrimSpace(string(data))) > 0 {
		return s, fmt.Errorf("configuration %s: %w", path, err)
	}
	environment, err := packageEnvironment(os.Getenv)
	if err != nil {
		return s, err
	}
	return s.over(Settings{
		Runtime: os.Getenv("ITECHSMART_RUNTIME"), Database: os.Getenv("ITECHSMART_DATABASE"),
		User: os.Getenv("ITECHSMART_USER"), Network: runtime.NetworkMode(os.Getenv("ITECHSMART_NETWORK")),
		Checkpoint: pool.CheckpointPolicy(os.Getenv("ITECHSMART_CHECKPOINT")), Packages: environment,
	})
}

// DefaultConfigFile is config.yaml in the user's configuration folder.
func DefaultConfigFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "config.yaml"
	}
	return filepath.Join(dir, "itechsmart", "config.yaml")
}

// with lays JSON options over s.
func (s Settings) with(raw json.RawMessage) (Settings, error) {
	var options Settings
	if err := decode(raw, &options); err != nil {
		return s, err
	}
	return s.over(options)
}

// over lays the fields that top sets over s and checks the outcome.
func (s Settings) over(top Settings) (Settings, error) {
	s.Runtime = cmp.Or(top.Runtime, s.Runtime)
	s.Database = cmp.Or(top.Database, s.Database)
	s.User = cmp.Or(top.User, s.User)
	s.Network = cmp.Or(top.Network, s.Network)
	s.Checkpoint = cmp.Or(top.Checkpoint, s.Checkpoint)
	l, t := &s.Limits, top.Limits
	l.CPU, l.Memory, l.Disk, l.Pids = cmp.Or(t.CPU, l.CPU), cmp.Or(t.Memory, l.Memory), cmp.Or(t.Disk, l.Disk), cmp.Or(t.Pids, l.Pids)
	l.Timeout, l.MaxTimeout, l.IdleTimeout = cmp.Or(t.Timeout, l.Timeout), cmp.Or(t.MaxTimeout, l.MaxTimeout), cmp.Or(t.IdleTimeout, l.IdleTimeout)
	l.VMsPerUser, l.VMsInAll = cmp.Or(t.VMsPerUser, l.VMsPerUser), cmp.Or(t.VMsInAll, l.VMsInAll)
	languages := maps.Clone(s.Languages)
	if languages == nil {
		languages = map[string]lang.Override{}
	}
	maps.Copy(languages, top.Languages)
	s.Languages = languages
	s.Packages = s.Packages.over(top.Packages)
	return s, s.check()
}

func (s Settings) check() error {
	if s.Limits.CPU < 0 || s.Limits.Memory < 0 || s.Limits.Disk < 0 || s.Limits.Pids < 0 ||
		s.Limits.Timeout < 0 || s.Limits.MaxTimeout < 0 || s.Limits.IdleTimeout < 0 ||
		s.Limits.VMsPerUser < 0 || s.Limits.VMsInAll < 0 {
		return badParams("limits", "a limit cannot be below 0")
	}
	switch s.Network {
	case "", runtime.NetworkNone, runtime.NetworkAllowlist, runtime.NetworkFull:
	default:
		return badParams("network", fmt.Sprintf("network is %q; it must be none, allowlist or full", s.Network))
	}
	switch s.Checkpoint {
	case "", pool.CheckpointAuto, pool.CheckpointAlways, pool.CheckpointNever:
	default:
		return badParams("checkpoint", fmt.Sprintf("checkpoint is %q; it must be auto, always or never", s.Checkpoint))
	}
	switch s.Runtime {
	case "", "auto", "docker", "native", "vagrant", "fake":
	default:
		return badParams("runtime", fmt.Sprintf("runtime is %q; it must be auto, docker, native or vagrant", s.Runtime))
	}
	if len(s.User) > 256 || strings.ContainsAny(s.User, "\x00\n") {
		return badParams("user", "user must be one line of at most 256 bytes")
	}
	if err := s.Packages.check(); err != nil {
		return err
	}
	if _, err := lang.New(s.Languages); err != nil {
		return badParams("languages", err.Error())
	}
	return nil
}

// UserName is the user that was set, or the system's.
func (s Settings) UserName() string {
	if s.User != "" {
		return s.User
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "default"
}

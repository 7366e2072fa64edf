package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/server/client"
)

// program is what is measured; make builds it before.
const program = "bin/vm"

// places are servers that actions are measured on, each with its own state.
type places struct {
	root    string
	servers []*place
	plain   string // id of a plain container for docker exec; empty without an engine
	image   string
	host    string // of the Docker engine
}

// place is one server with a VM of each language in it.
type place struct {
	name   string // for the tables
	client *client.Client
	state  string
	config string
	env    []string
}

// openPlaces starts a server per runtime and database that are to be had.
func openPlaces(ctx context.Context) (*places, error) {
	root, err := os.MkdirTemp("", "vm-bench")
	if err != nil {
		return nil, err
	}
	p := &places{root: root, image: os.Getenv("ITECHSMART_TEST_IMAGE"), host: os.Getenv("ITECHSMART_TEST_DOCKER_HOST")}
	settings := []struct{ name, runtime, database string }{{"native, SQLite", "native", ""}}
	if url := os.Getenv("ITECHSMART_TEST_POSTGRES"); url != "" {
		settings = append(settings, struct{ name, runtime, database string }{"native, PostgreSQL", "native", url})
	}
	if p.host != "" && p.image != "" {
		settings = append(settings, struct{ name, runtime, database string }{"Docker, SQLite", "docker", ""})
		if p.plain, err = p.docker(ctx, "run", "-d", "--network=none", p.image, "sleep", "infinity"); err != nil {
			return nil, err
		}
	}
	for i, s := range settings {
		place, err := p.open(ctx, s.name, s.runtime, s.database, i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		p.servers = append(p.servers, place)
	}
	return p, nil
}

func (p *places) open(ctx context.Context, name, runtime, database string, number int) (*place, error) {
	s := &place{name: name, state: filepath.Join(p.root, fmt.Sprint(number)), env: []string{"DOCKER_HOST=" + p.host}}
	s.config = filepath.Join(s.state, "config.yaml")
	config := fmt.Sprintf("runtime: %s\nuser: bench%d\ndatabase: %q\nlimits: {vmsPerUser: 20}\n", runtime, number, database)
	if runtime == "docker" {
		config += fmt.Sprintf("languages:\n  bash: {image: %q}\n  python: {image: %q}\n", p.image, p.image)
	}
	if err := os.MkdirAll(s.state, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		return nil, err
	}
	var err error
	if s.client, err = s.serve(ctx); err != nil {
		return nil, err
	}
	for _, language := range []string{"bash", "python"} {
		if err := s.client.Call(ctx, "vm/create", map[string]any{"name": language, "language": language}, nil); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// serve starts another server on the place's state.
func (s *place) serve(ctx context.Context) (*client.Client, error) {
	cmd := exec.Command(program, "serve", "--config", s.config)
	cmd.Env = append(append(os.Environ(), "XDG_STATE_HOME="+s.state), s.env...)
	c, err := client.Start(cmd, nil)
	if err != nil {
		return nil, err
	}
	_, err = c.Initialize(ctx, nil)
	return c, err
}

// execute runs code in a VM and expects it to exit with 0.
func (s *place) execute(ctx context.Context, vm, code string) (handlers.Execution, error) {
	var e handlers.Execution
	if err := s.client.Call(ctx, "vm/execute", map[string]any{"id": vm, "code": code}, &e); err != nil {
		return e, err
	}
	if e.Verdict != "exited" || e.ExitCode != 0 {
		return e, fmt.Errorf("%s with exit code %d: %s", e.Verdict, e.ExitCode, e.Error)
	}
	return e, nil
}

// close removes all that was made.
func (p *places) close() {
	ctx := context.Background()
	for _, s := range p.servers {
		for _, vm := range []string{"bash", "python", "short"} {
			_ = s.client.Call(ctx, "vm/delete", map[string]any{"id": vm, "force": true}, nil) // "short" is gone, as a rule
		}
		if err := s.client.Close(); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: the server ended with %v\n", s.name, err)
		}
	}
	if p.plain != "" {
		if _, err := p.docker(ctx, "rm", "-f", p.plain); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	_ = os.RemoveAll(p.root)
}

// docker runs the Docker command and returns what it printed.
func (p *places) docker(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", append([]string{"-H", p.host}, args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

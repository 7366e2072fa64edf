package runtimetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// probePath is where machines have the probe.
const probePath = "/tmp/probe"

// ProbeVariable names, in the environment, a probe that is built already: for
// tests that run as a user who has no toolchain.
const ProbeVariable = "RUNTIMETEST_PROBE"

// probeProgram is the static program that cases run, built once a process.
var probeProgram = sync.OnceValues(func() ([]byte, error) {
	if path := os.Getenv(ProbeVariable); path != "" {
		return os.ReadFile(path)
	}
	dir, err := os.MkdirTemp("", "runtimetest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "probe")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file,
		"github.com/itechsmart/vm/runtime/runtimetest/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goruntime.GOARCH)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the probe: %w\n%s", err, out)
	}
	return os.ReadFile(file)
})

// machine with a client to it.
type machine struct {
	*suite
	spec   runtime.Spec
	made   runtime.Machine
	client *agent.Client
}

// connect opens the client and places the probe.
func (m *machine) connect(ctx context.Context) error {
	program, err := probeProgram()
	if err != nil {
		return err
	}
	if m.client, err = m.open(ctx, m.spec.Ref); err != nil {
		return err
	}
	run := m.program("print", "hello")
	run.Files = []agent.File{{Path: probePath, Data: program, Mode: 0o755}}
	result, err := m.client.Run(ctx, run, nil)
	if err == nil && string(result.Stdout.Head) != "hello\n" {
		err = fmt.Errorf("the probe does not run: %s", describe(result))
	}
	if err != nil {
		m.client.Close()
	}
	return err
}

// program returns a run of a probe's subcommand, with the watched limits that
// the pool would ask for.
func (m *machine) program(args ...string) agent.Run {
	run := agent.Run{
		ID:      fmt.Sprintf("run-%d", m.lastRun.Add(1)),
		Command: append([]string{probePath}, args...),
		Env:     []string{"PROBE_IN_MACHINE=1"},
	}
	if m.made.Enforcement.Memory == runtime.Watched {
		run.WatchMemory = int64(m.spec.Limits.MemoryMiB) << 20
	}
	if m.made.Enforcement.Disk == runtime.Watched {
		run.FileSize = int64(m.spec.Limits.DiskMiB) << 20
	}
	return run
}

// run runs to the end; what is printed is in the record.
func (m *machine) run(t *testing.T, run agent.Run) agent.Result {
	t.Helper()
	return m.runTo(t, run, nil)
}

func (m *machine) runTo(t *testing.T, run agent.Run, sink agent.Sink) agent.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	result, err := m.client.Run(ctx, run, sink)
	if err != nil {
		t.Fatalf("run %q: %v", run.Command, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("run %q did not end: %s", run.Command, describe(result))
	}
	return result
}

// serving runs a program and sees to it that the guest answers meanwhile.
func (m *machine) serving(t *testing.T, run agent.Run) agent.Result {
	t.Helper()
	const patience = 10 * time.Second // it takes milliseconds, on a machine with nothing else to do
	ended := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := m.client.Stats(ctx)
			cancel()
			if err != nil {
				t.Errorf("stats during %q: %v", run.Command, err)
				return
			}
			select {
			case <-ended:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	result := m.run(t, run)
	close(ended)
	asking.Wait()
	return result
}

// probe runs a subcommand that has to succeed and returns what it printed.
func (m *machine) probe(t *testing.T, args ...string) string {
	t.Helper()
	result := m.run(t, m.program(args...))
	if result.Verdict != agent.Exited || result.ExitCode != 0 {
		t.Fatalf("probe %q: %s", args, describe(result))
	}
	return string(result.Stdout.Head)
}

// report runs a subcommand that prints JSON.
func (m *machine) report(t *testing.T, into any, args ...string) {
	t.Helper()
	m.decode(t, m.program(args...), into)
}

func (m *machine) decode(t *testing.T, run agent.Run, into any) {
	t.Helper()
	decodeResult(t, m.run(t, run), into)
}

// decodeResult reads the JSON that a run printed.
func decodeResult(t *testing.T, result agent.Result, into any) {
	t.Helper()
	if err := json.Unmarshal(result.Stdout.Head, into); err != nil {
		t.Fatalf("%v: %s", err, describe(result))
	}
}

// during starts a run, and calls act once the run has printed "ready".
func (m *machine) during(t *testing.T, run agent.Run, act func(ctx context.Context, id string)) agent.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ready := make(chan struct{})
	ended := make(chan struct{})
	var (
		output bytes.Buffer
		said   sync.Once
		result agent.Result
		err    error
	)
	go func() {
		defer close(ended)
		result, err = m.client.Run(ctx, run, func(_ agent.Stream, p []byte) {
			if output.Write(p); strings.Contains(output.String(), "ready\n") {
				said.Do(func() { close(ready) })
			}
		})
	}()
	select {
	case <-ready:
		act(ctx, run.ID)
		<-ended
	case <-ended:
		t.Errorf("ended before it was ready")
	}
	if err != nil {
		t.Fatalf("run %q: %v", run.Command, err)
	}
	return result
}

// healthy fails the test unless the machine still serves, over its old stream
// and a new one.
func (m *machine) healthy(t *testing.T) {
	t.Helper()
	if got := m.probe(t, "print", "alive"); got != "alive\n" {
		t.Errorf("over the old stream: %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := m.open(ctx, m.spec.Ref)
	if err != nil {
		t.Fatalf("a new stream: %v", err)
	}
	defer client.Close()
	result, err := client.Run(ctx, m.program("print", "alive"), nil)
	if err != nil || string(result.Stdout.Head) != "alive\n" {
		t.Errorf("over a new stream: %v %s", err, describe(result))
	}
}

// expect compares how a run ended.
func expect(t *testing.T, got agent.Result, verdict agent.Verdict, exitCode int) {
	t.Helper()
	if got.Verdict != verdict || got.ExitCode != exitCode {
		t.Errorf("want %s with exit code %d, got %s", verdict, exitCode, describe(got))
	}
}

// describe a result in a line, for failure messages.
func describe(r agent.Result) string {
	return fmt.Sprintf("%s exit=%d signal=%q missing=%q phase=%q wall=%s cpu=%s stdout=%.200q stderr=%.600q",
		r.Verdict, r.ExitCode, r.Signal, r.Missing, r.Phase, r.Wall, r.CPU, r.Stdout.Head, r.Stderr.Head)
}

// show a machine with all fields; %+v stops at the Ref's String.
func show(m runtime.Machine) string {
	return fmt.Sprintf("%s %s ID=%q image=%q IP=%q enforcement=%+v owner=%s", m.Ref, m.State, m.ID, m.Image, m.IP, m.Enforcement, m.Owner)
}

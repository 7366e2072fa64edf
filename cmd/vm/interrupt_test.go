package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/handlers"
)

// sandbox is an environment for vm processes with a state folder of its own.
func sandbox(t *testing.T) []string {
	needNative(t)
	env := append(os.Environ(), "XDG_STATE_HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir(), "ITECHSMART_RUNTIME=native", "ITECHSMART_USER=tester")
	t.Cleanup(func() { tidy(t, env) })
	return env
}

// started is a vm process whose standard output is read as it comes.
type started struct {
	*exec.Cmd
	out    *bufio.Reader
	stderr bytes.Buffer
}

func startProgram(t *testing.T, env []string, args ...string) *started {
	t.Helper()
	p := &started{Cmd: program(t.Context(), env, args...)}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out, p.Stderr = bufio.NewReader(stdout), &p.stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *started) line(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		rest, _ := io.ReadAll(p.out)
		t.Fatalf("vm ended early: %v\n%s%s\n%s", err, line, rest, p.stderr.String())
	}
	return line
}

// end waits and returns the exit code.
func (p *started) end(t *testing.T) int {
	t.Helper()
	if err := p.Wait(); err != nil && p.ProcessState == nil {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

func TestInterruptCancelsTheRun(t *testing.T) {
	env := sandbox(t)
	p := startProgram(t, env, "run", "-l", "bash", "echo ready; sleep 300")
	if line := p.line(t); line != "ready\n" {
		t.Fatalf("first line %q", line)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.end(t); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	if !strings.Contains(p.stderr.String(), "was cancelled after") {
		t.Errorf("nothing tells of the cancelled run: %q", p.stderr.String())
	}
	if got := verdicts(t, env); !cmp.Equal(got, []string{"cancelled"}) {
		t.Errorf("the history has %v", got)
	}
}

func TestInterruptLeavesAnAttachedRun(t *testing.T) {
	env := sandbox(t)
	id := output(t, env, "run", "--detach", "-l", "bash", "echo ready; sleep 300")
	p := startProgram(t, env, "attach", strings.TrimSpace(id))
	p.line(t)
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.end(t); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	if got := verdicts(t, env); !cmp.Equal(got, []string{"running"}) {
		t.Errorf("the history has %v", got)
	}
}

func TestEventsFollowsOtherProcesses(t *testing.T) {
	env := sandbox(t)
	output(t, env, "create", "first", "bash")
	p := startProgram(t, env, "events", "--follow", "--json")
	var got []string
	for _, name := range []string{"first", "second"} {
		if name == "second" { // by another process, while the first one follows
			output(t, env, "create", "second", "bash")
		}
		var e handlers.Event
		if err := json.Unmarshal([]byte(p.line(t)), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Type+" "+e.VMName)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.end(t); code != 0 {
		t.Errorf("exit code %d, want 0: an interrupt is the regular end", code)
	}
	if diff := cmp.Diff([]string{"vm.created first", "vm.created second"}, got); diff != "" {
		t.Error(diff)
	}
}

// output runs vm to its end, which must be a success.
func output(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := program(t.Context(), env, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("vm %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// verdicts of the history, newest first.
func verdicts(t *testing.T, env []string) []string {
	t.Helper()
	var result handlers.ExecutionsResult
	if err := json.Unmarshal([]byte(output(t, env, "executions", "--json")), &result); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range result.Executions {
		list = append(list, e.Verdict)
	}
	return list
}

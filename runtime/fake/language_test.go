package fake_test

import (
	"context"
	"strings"
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/lang"
)

func TestLanguage(t *testing.T) {
	table, err := lang.New(map[string]lang.Override{fake.LanguageID: fake.Language})
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := table.Find(fake.LanguageID)
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t)
	for _, test := range []struct {
		name, code     string
		verdict        agent.Verdict
		exit           int
		phase          string
		stdout, stderr string // stderr: a part
	}{
		{"nothing", "", agent.Exited, 0, "run", "", ""},
		{"output", "# greeting\nprint Hello,  world\n\n  err oh\n", agent.Exited, 0, "run", "Hello,  world\n", "oh\n"},
		{"input", "read", agent.Exited, 0, "run", "given", ""},
		{"exit", "print a\nexit 3\nprint b", agent.Exited, 3, "run", "a\n", ""},
		{"signal", "raise 11", agent.Signaled, 139, "run", "", ""},
		{"sleep", "sleep 1ms\nprint awake", agent.Exited, 0, "run", "awake\n", ""},
		{"memory", "print a\nalloc 100\nprint b", agent.OutOfMemory, 137, "run", "a\n", ""},
		{"disk", "print a\nwrite x 5\nwrite y 100", agent.DiskFull, 1, "run", "a\n", "/tmp/run-disk/main.probe:3: "},
		{"unknown", "print a\nprnt b", agent.Exited, 1, "build", "", "/tmp/run-unknown/main.probe:2: \"prnt\""},
		{"bad argument", "sleep long", agent.Exited, 1, "run", "", "main.probe:1: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := l.Plan([]byte(test.code), nil, lang.PlanOptions{ID: test.name})
			run.Stdin = []byte("given")
			r, err := client.Run(t.Context(), run, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != test.verdict || r.ExitCode != test.exit || r.Phase != test.phase ||
				string(r.Stdout.Head) != test.stdout || !strings.Contains(string(r.Stderr.Head), test.stderr) {
				t.Errorf("%+v\nstdout %q\nstderr %q", r, r.Stdout.Head, r.Stderr.Head)
			}
		})
	}
	t.Run("loop", func(t *testing.T) {
		run := l.Plan([]byte("print a\nloop"), nil, lang.PlanOptions{ID: "loop"})
		run.Timeout = 1
		r, err := client.Run(t.Context(), run, nil)
		if err != nil || r.Verdict != agent.Timeout {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestBasics(t *testing.T) {
	client := newClient(t)
	for _, test := range []struct {
		command []string
		exit    int
		stdout  string
	}{
		{[]string{"true"}, 0, ""},
		{[]string{"false"}, 1, ""},
		{[]string{"echo", "a", "b c"}, 0, "a b c\n"},
		{[]string{"cat"}, 0, "given"},
		{[]string{"cat", "placed"}, 0, "data"},
		{[]string{"cat", "absent"}, 1, ""},
		{[]string{"sleep", "0.001"}, 0, ""},
		{[]string{"exit", "7"}, 7, ""},
	} {
		name := strings.Join(test.command, " ")
		r, err := client.Run(t.Context(), agent.Run{
			ID: name, Command: test.command, Stdin: []byte("given"),
			Files: []agent.File{{Path: "placed", Data: []byte("data")}},
		}, nil)
		if err != nil || r.Verdict != agent.Exited || r.ExitCode != test.exit || string(r.Stdout.Head) != test.stdout {
			t.Errorf("%s: %+v, %v, stdout %q", name, r, err, r.Stdout.Head)
		}
	}
	r, err := client.Run(t.Context(), agent.Run{ID: "forever", Command: []string{"print-forever"}, Timeout: 1}, nil)
	if err != nil || r.Verdict != agent.Timeout {
		t.Errorf("print-forever: %+v, %v", r, err)
	}
}

// newClient of a small machine.
func newClient(t *testing.T) *agent.Client {
	t.Helper()
	driver := fake.New()
	spec := runtime.Spec{
		Ref:    runtime.Ref{Instance: "test", VM: 1},
		Limits: runtime.Limits{CPU: 1, MemoryMiB: 64, DiskMiB: 64, Pids: 16},
	}
	if _, err := driver.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Destroy(context.Background(), spec.Ref); err != nil {
			t.Error(err)
		}
	})
	stream, err := driver.Open(t.Context(), spec.Ref)
	if err != nil {
		t.Fatal(err)
	}
	client, err := agent.NewClient(stream)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

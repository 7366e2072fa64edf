// Package langtest runs small programs of every language in a VM: the proof that
// a row of the language table works where it is meant to.
//
// A language's programs are testdata/ID/{hello,stdin,exit3,error,build-error}.EXT;
// one that makes no sense for a language is left out.
package langtest

import (
	"context"
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

//go:embed testdata
var programs embed.FS

// timeout of one program. The first Go build of a machine compiles the standard
// library on its share of a core.
const timeout = 3 * time.Minute

// nameless are the languages whose own messages do not name the file.
var nameless = []string{"r", "sql"}

// input has characters of several bytes, and ends without a half line because
// some languages read lines.
const input = "first line\nzweite Zeile: größer als ½\n"

// expectation of one kind of program.
type expectation struct {
	stdin    string
	stdout   string
	exitCode int // -1 = any but 0
	phase    string
	stderr   string
}

var expectations = map[string]expectation{
	"hello":       {stdout: "Hello, world!\n", phase: "run"},
	"stdin":       {stdin: input, stdout: input, phase: "run"},
	"exit3":       {stdout: "before\n", exitCode: 3, phase: "run"},
	"error":       {stdout: "before\n", exitCode: -1, phase: "run", stderr: "boom"},
	"build-error": {exitCode: -1, phase: "build", stderr: "boom"},
	"trace":       {exitCode: -1, phase: "run"},
}

// In makes a machine of spec, runs all programs in it and destroys it; for must
// see Run.
func In(t *testing.T, driver runtime.Driver, spec runtime.Spec, must ...string) {
	t.Helper()
	Run(t, machine(t, driver, spec), spec.Image == "", must...)
}

// machine makes a machine that ends with the test, and returns a client to it.
func machine(t *testing.T, driver runtime.Driver, spec runtime.Spec) *agent.Client {
	t.Helper()
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
	t.Cleanup(func() { _ = client.Close() }) // the machine goes anyway
	return client
}

// Run runs all programs of all languages through client. The languages in must
// have to be there; others are skipped when the VM lacks their toolchain.
// Set host when the VM has the host's toolchains.
func Run(t *testing.T, client *agent.Client, host bool, must ...string) {
	table, err := lang.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range table.Languages() {
		t.Run(l.ID, func(t *testing.T) {
			runLanguage(t, client, l, host, slices.Contains(must, l.ID))
			t.Run("session", func(t *testing.T) { runSession(t, client, l, host, slices.Contains(must, l.ID)) })
			if l.Zygote != nil {
				t.Run("forked", func(t *testing.T) { runForked(t, client, l, host, slices.Contains(must, l.ID)) })
				t.Run("waiting", func(t *testing.T) { runForkedWalls(t, client, l, host, slices.Contains(must, l.ID)) })
			}
			if len(exhibits[l.ID]) > 0 {
				t.Run("artifacts", func(t *testing.T) { runArtifacts(t, client, l, host, slices.Contains(must, l.ID)) })
			}
		})
	}
}

func runLanguage(t *testing.T, client *agent.Client, l lang.Language, host, must bool) {
	folder := path.Join("testdata", l.ID)
	files, err := programs.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		ext := path.Ext(f.Name())
		kind := strings.TrimSuffix(f.Name(), ext)
		t.Run(kind, func(t *testing.T) {
			code, err := programs.ReadFile(path.Join(folder, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			want, known := expectations[kind]
			if !known {
				t.Fatalf("%s: no such kind of program", f.Name())
			}
			run := l.Plan(code, nil, lang.PlanOptions{
				ID:       fmt.Sprintf("lang-%s-%s", l.ID, kind),
				Host:     host,
				FileName: "Lesson" + ext,
			})
			run.Stdin, run.Timeout = []byte(want.stdin), timeout
			result := execute(t, client, run)
			if missing := l.Missing(result, ""); missing != nil {
				if must {
					t.Fatalf("%v; %s", missing, runtime.Hint(missing))
				}
				t.Skipf("%v; %s", missing, runtime.Hint(missing))
			}
			want.check(t, result)
			if want.stderr != "" && !slices.Contains(nameless, l.ID) && !strings.Contains(string(result.Stderr.Head), "Lesson") {
				t.Errorf("the message does not name the file Lesson%s:\n%s", ext, result.Stderr.Head)
			}
			checkProblems(t, l, lang.Ran{ID: run.ID, FileName: "Lesson" + ext, Code: code}, result)
		})
	}
}

func execute(t *testing.T, client *agent.Client, run agent.Run) agent.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	result, err := client.Run(ctx, run, nil)
	if err != nil {
		t.Fatalf("running %q: %v", run.Command, err)
	}
	return result
}

func (want expectation) check(t *testing.T, got agent.Result) {
	t.Helper()
	if out := string(got.Stdout.Head); out != want.stdout {
		t.Errorf("stdout = %q, want %q", out, want.stdout)
	}
	if got.ExitCode != want.exitCode && (want.exitCode != -1 || got.ExitCode == 0) {
		t.Errorf("exit code = %d, want %d", got.ExitCode, want.exitCode)
	}
	if got.Verdict != agent.Exited && got.Verdict != agent.Signaled {
		t.Errorf("verdict = %s", got.Verdict)
	}
	if got.Phase != want.phase {
		t.Errorf("phase = %q, want %q", got.Phase, want.phase)
	}
	if !strings.Contains(string(got.Stderr.Head), want.stderr) {
		t.Errorf("stderr does not say %q:\n%s", want.stderr, got.Stderr.Head)
	}
	if t.Failed() {
		t.Logf("stderr: %s", got.Stderr.Head)
	}
}

package langtest

import (
	"embed"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

//go:embed forked
var forkedPrograms embed.FS

// alike is what an execution must have in common whether its interpreter was
// started or had waited for it.
type alike struct {
	Verdict        agent.Verdict
	ExitCode       int
	Signal         string
	Stdout, Stderr string
}

// runForked runs one set of programs twice, in interpreters that are started and
// in ones that are forked, and compares what comes of it.
func runForked(t *testing.T, client *agent.Client, l lang.Language, host, must bool) {
	c := &talk{T: t, client: client, lang: l, host: host}
	c.skipUnforkable(must)
	folder := path.Join("forked", l.ID)
	files, err := forkedPrograms.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(f.Name(), path.Ext(f.Name())), func(t *testing.T) {
			code, err := forkedPrograms.ReadFile(path.Join(folder, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			c := &talk{T: t, client: client, lang: l, host: host, turns: c.turns}
			started, _ := c.try(string(code), false)
			forked, _ := c.try(string(code), true)
			if diff := cmp.Diff(started, forked); diff != "" {
				t.Errorf("a forked interpreter makes a difference (-started +forked):\n%s", diff)
			}
		})
	}
}

// skipUnforkable ends the test where the VM has no interpreter of the language that
// programs are forked from.
func (c *talk) skipUnforkable(must bool) {
	c.Helper()
	r := execute(c.T, c.client, c.plan("", "import sys\nprint((3, 10) <= sys.version_info[:2] <= (3, 12))"))
	c.skipMissing(r, must)
	if string(r.Stdout.Head) == "False\n" {
		c.Skip("programs are forked from Python 3.10 to 3.12")
	}
}

// forkPatience is how long a machine may take to have an interpreter wait.
const forkPatience = time.Minute

// try executes a program in an interpreter that is started, or in one that is
// forked as soon as one waits.
func (c *talk) try(code string, forked bool) (alike, agent.Result) {
	c.Helper()
	for deadline := time.Now().Add(forkPatience); ; {
		c.turns++
		run := c.lang.Plan([]byte(code), []string{"an argument", "größer"}, lang.PlanOptions{
			ID: fmt.Sprintf("%s-%d", strings.ReplaceAll(c.Name(), "/", "-"), c.turns), Host: c.host, FileName: "Lesson" + c.lang.Extensions[0],
			Files: []agent.File{{Path: "neighbour.py", Data: []byte("answer = 42\n")}},
		})
		if !forked {
			run.Zygote = nil
		}
		run.Stdin, run.Timeout = []byte(input), timeout
		r := execute(c.T, c.client, run)
		if r.Forked == forked {
			text := func(record agent.Record) string { return strings.ReplaceAll(string(record.Head), run.ID, "ID") }
			return alike{r.Verdict, r.ExitCode, r.Signal, text(r.Stdout), text(r.Stderr)}, r
		}
		if time.Now().After(deadline) {
			c.Fatalf("no interpreter waits for this program:\n%s", r.Stderr.Head)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

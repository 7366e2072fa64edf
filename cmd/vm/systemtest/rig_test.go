// Package systemtest holds tests of the whole: the real program, over the wire,
// on real engines and databases. They need root or an engine, and say so.
package systemtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/itechsmart/vm/server/client"
)

// program is bin/vm as it would be built, in a folder of this test run.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vm-systemtest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "vm")
	build := exec.Command("go", "build", "-o", program, "..")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir) // nothing to be done about it
	os.Exit(code)
}

// rig is a place for servers to run in: a state folder, a runtime, a database.
type rig struct {
	runtime string
	state   string // XDG_STATE_HOME
	config  string
	env     []string
}

// forEach runs a test on every pair of runtime and database.
func forEach(t *testing.T, test func(t *testing.T, r *rig)) {
	for _, engine := range []string{"native", "docker"} {
		for _, database := range []string{"sqlite", "postgres"} {
			t.Run(engine+"/"+database, func(t *testing.T) { test(t, newRig(t, engine, database)) })
		}
	}
}

func newRig(t *testing.T, engine, database string) *rig {
	t.Helper()
	r := &rig{runtime: engine, state: t.TempDir()}
	r.config = filepath.Join(r.state, "config.yaml")
	settings := "runtime: " + engine + "\n"
	if engine == "docker" {
		host, image := need(t, "ITECHSMART_TEST_DOCKER_HOST"), need(t, "ITECHSMART_TEST_IMAGE")
		settings += fmt.Sprintf("languages:\n  bash: {image: %q}\n  python: {image: %q}\n", image, image)
		r.env = append(r.env, "DOCKER_HOST="+host)
	}
	if database == "postgres" {
		settings += fmt.Sprintf("database: %q\n", freshDatabase(t))
	}
	if err := os.WriteFile(r.config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.clean(t) })
	return r
}

// need reads a variable that scripts/testenv sets.
func need(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" && os.Getenv("CI") == "true" {
		t.Fatalf("%s is not set; make test sets it", name)
	}
	if value == "" {
		t.Skipf("%s is not set; make test sets it", name)
	}
	return value
}

// freshDatabase makes an empty database on the test server, for this test alone.
func freshDatabase(t *testing.T) string {
	t.Helper()
	server, err := url.Parse(need(t, "ITECHSMART_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	name := "systemtest_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	psql(t, server.String(), "CREATE DATABASE "+name)
	t.Cleanup(func() { psql(t, server.String(), "DROP DATABASE "+name+" WITH (FORCE)") })
	fresh := *server
	fresh.Path = "/" + name
	return fresh.String()
}

func psql(t *testing.T, server, statement string) {
	t.Helper()
	if out, err := exec.Command("psql", "-qX", "-d", server, "-c", statement).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", statement, err, out)
	}
}

func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = append(append(os.Environ(), "XDG_STATE_HOME="+r.state), r.env...)
	return cmd
}

// vm runs a terminal command and returns what it printed.
func (r *rig) vm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := r.command(append([]string{"--config", r.config}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("vm %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// setenv adds to the environment of servers until the test's end, but not of the
// clean-up.
func (r *rig) setenv(t *testing.T, variable string) {
	before := r.env
	r.env = append(slices.Clip(r.env), variable)
	t.Cleanup(func() { r.env = before })
}

// serve starts a server and opens a session with it.
func (r *rig) serve(t *testing.T, notified client.Notified) *client.Client {
	t.Helper()
	cmd := r.command("serve", "--config", r.config)
	log, err := os.OpenFile(filepath.Join(r.state, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	c, err := client.Start(cmd, notified)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Kill() }) // ended already, as a rule
	if _, err := c.Initialize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// clean deletes what a test left and fails when anything outlives that.
func (r *rig) clean(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := r.command("--config", r.config, "delete", "--all", "--yes")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("vm delete --all: %v\n%s", err, out)
	}
	// An engine may still be finishing what a killed server had asked for.
	left := r.leftovers(ctx, t)
	for range 60 {
		if len(left) == 0 {
			break
		}
		time.Sleep(time.Second)
		r.vm(t, "gc")
		left = r.leftovers(ctx, t)
	}
	for _, leftover := range left {
		t.Errorf("left over: %s", leftover)
	}
	if t.Failed() {
		log, _ := os.ReadFile(filepath.Join(r.state, "serve.log"))
		t.Logf("the servers' log:\n%s", log)
	}
}

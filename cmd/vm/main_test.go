package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/itechsmart/vm/runtime/lang/langtest/index"
	"github.com/itechsmart/vm/runtime/native"
)

var update = flag.Bool("update", false, "write the golden texts of scripts anew")

// TestMain makes this binary the program too: scripts and tests run it as vm.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vm": main})
}

// TestPlain runs scripts that need no runtime.
func TestPlain(t *testing.T) { runScripts(t, "testdata/plain") }

// TestNative runs scripts that make VMs.
func TestNative(t *testing.T) {
	needNative(t)
	runScripts(t, "testdata/native")
}

func runScripts(t *testing.T, dir string) {
	testscript.Run(t, testscript.Params{
		Dir: dir, UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			state := filepath.Join(env.WorkDir, "state")
			env.Setenv("XDG_STATE_HOME", state)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("ITECHSMART_RUNTIME", "native")
			env.Setenv("ITECHSMART_USER", "tester")
			env.Setenv("TZ", "UTC")
			serveHello(env)
			serveIndex(t, env)
			env.Defer(func() { tidy(t, env.Vars) })
			return nil
		},
	})
}

// serveHello gives a script a server on the host's loopback, at $SERVER.
func serveHello(env *testscript.Env) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello from the host")
	}))
	env.Defer(server.Close)
	env.Setenv("SERVER", strings.TrimPrefix(server.URL, "http://"))
}

// serveIndex gives a script indexes of packages there, at $INDEX.
func serveIndex(t *testing.T, env *testscript.Env) {
	for _, entry := range index.New(t).Allow() {
		if strings.HasPrefix(entry, "127.") {
			env.Setenv("INDEX", entry)
		}
	}
}

// tidy removes what a script left, also one that failed half-way.
func tidy(t *testing.T, env []string) {
	cmd := program(t.Context(), env, "delete", "--all", "--yes")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("cannot remove the VMs of a script: %v\n%s", err, out)
	}
}

// program is vm as a process of its own.
func program(ctx context.Context, env []string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Args, cmd.Env = append([]string{"vm"}, args...), env
	return cmd
}

// needNative skips where the native runtime does not work, except in CI.
func needNative(t *testing.T) {
	t.Helper()
	driver := native.New(native.Options{StateDir: t.TempDir()})
	defer driver.Close()
	if _, err := driver.Probe(t.Context()); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the native runtime does not work: %v", err)
		}
		t.Skipf("the native runtime does not work: %v", err)
	}
}

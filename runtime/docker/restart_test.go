package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"syscall"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// engineTime bounds the start and the end of an engine.
const engineTime = time.Minute

// TestSnapshotsSurviveTheEngine restarts an engine of its own: the snapshot of a
// machine in it is there afterwards, and can be restored.
func TestSnapshotsSurviveTheEngine(t *testing.T) {
	dockerd := dockerdProgram(t)
	dir := t.TempDir()
	d, err := New(Options{Host: "unix://" + filepath.Join(dir, "s")})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx := t.Context()
	stop := startEngine(t, d, dockerd, dir)
	const image = "itechsmart-test:empty"
	if err := loadImage(ctx, d, image, goruntime.GOARCH, nil); err != nil {
		t.Fatal(err)
	}
	spec := runtime.Spec{
		Ref: runtime.Ref{Instance: instance, VM: lastVM.Add(1)}, Name: "test", Image: image,
		Limits: runtime.Limits{CPU: 1, MemoryMiB: 128, DiskMiB: 64, Pids: 32}, Network: runtime.Network{Mode: runtime.NetworkNone},
	}
	if _, err := d.Create(ctx, spec, nil); err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		onFiles(t, d, spec.Ref, func(c *agent.Client) error {
			return c.WriteFile(ctx, agent.Run{ID: "say " + text, User: "root"}, "/said", []byte(text), 0)
		})
	}
	say("kept")
	if _, err := d.Snapshot(ctx, spec.Ref, "s", false, nil); err != nil {
		t.Fatal(err)
	}
	say("lost")

	stop()
	stop = startEngine(t, d, dockerd, dir)
	if names, err := d.Snapshots(ctx, spec.Ref); err != nil || len(names) != 1 || names[0] != "s" {
		t.Errorf("snapshots after the restart: %q, %v", names, err)
	}
	if _, err := d.Restore(ctx, spec.Ref, "s"); err != nil {
		t.Fatal(err)
	}
	onFiles(t, d, spec.Ref, func(c *agent.Client) error {
		_, content, err := c.ReadFile(ctx, agent.Run{ID: "read", User: "root"}, "/said", 100)
		if string(content) != "kept" {
			t.Errorf("restored, the file holds %q", content)
		}
		return err
	})
	if err := d.Destroy(ctx, spec.Ref); err != nil {
		t.Error(err)
	}
	stop()
}

// dockerdProgram finds the engine, which takes root.
func dockerdProgram(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("dockerd")
	switch {
	case os.Geteuid() != 0:
		t.Skip("an engine of its own takes root")
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
	return program
}

// startEngine starts an engine that keeps everything in a folder, and waits until
// it answers the driver. Stop ends it, and may be repeated.
func startEngine(t *testing.T, d *Driver, program, dir string) (stop func()) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("daemon.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--host", "unix://"+in("s"), "--data-root", in("data"), "--exec-root", in("exec"), "--pidfile", in("pid"),
		"--config-file", in("daemon.json"), "--bridge=none", "--iptables=false", "--userland-proxy=false")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		if cmd.Process == nil {
			return
		}
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		select {
		case <-ended:
		case <-time.After(engineTime):
			t.Error("the engine does not end")
		}
		cmd.Process = nil
	}
	t.Cleanup(func() {
		stop()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the engine's log:\n%s", said[max(0, len(said)-4000):])
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), engineTime)
	defer cancel()
	for {
		if _, err = d.Probe(ctx); err == nil {
			return stop
		}
		if ctx.Err() != nil {
			t.Fatal(fmt.Errorf("the engine does not answer: %w", errors.Join(err, ctx.Err())))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

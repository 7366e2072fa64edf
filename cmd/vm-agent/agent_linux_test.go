package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent"
)

// maxSize of the guest program, which every VM gets and `vm` carries twice.
const maxSize = 4 << 20

func binary(t *testing.T, arch string) []byte {
	t.Helper()
	b, err := agent.Binary(arch)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return b
}

func TestSize(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		if n := len(binary(t, arch)); n > maxSize {
			t.Errorf("%s: %d bytes, more than %d", arch, n, maxSize)
		}
	}
}

// joined is a process's standard streams as one.
type joined struct {
	io.Reader
	io.WriteCloser
}

// The built program serves through its own bridge, as in a container.
func TestServeAndBridge(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "vm-agent")
	if err := os.WriteFile(program, binary(t, runtime.GOARCH), 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "socket")
	serve := exec.Command(program, "serve", "-socket", socket,
		"-config", `{"home":`+strconv.Quote(filepath.Join(dir, "home"))+`,"allowRoot":true}`)
	serve.Stderr = os.Stderr
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { serve.Process.Kill() })

	client := bridged(t, program, socket)
	run := agent.Run{ID: "1", Command: []string{"sh", "-c", "cat; exit 3"}, Stdin: []byte("through the bridge"), User: "root"}
	res, err := client.Run(t.Context(), run, nil)
	if err != nil || res.ExitCode != 3 || string(res.Stdout.Head) != "through the bridge" {
		t.Errorf("got %+v, %v", res, err)
	}
	if kib := resident(t, serve.Process.Pid); kib > 8<<10 {
		t.Errorf("the guest takes %d KiB", kib)
	}
	if err := serve.Process.Signal(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("the guest ended with %v", err)
	}
	<-client.Done()
}

func bridged(t *testing.T, program, socket string) *agent.Client {
	t.Helper()
	bridge := exec.Command(program, "bridge", "-socket", socket)
	in, err1 := bridge.StdinPipe()
	out, err2 := bridge.StdoutPipe()
	if err := errors.Join(err1, err2, bridge.Start()); err != nil {
		t.Fatal(err)
	}
	client, err := agent.NewClient(joined{out, in})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		done := time.AfterFunc(time.Minute, func() { bridge.Process.Kill() })
		defer done.Stop()
		if err := bridge.Wait(); err != nil {
			t.Errorf("the bridge ended with %v", err)
		}
	})
	return client
}

// resident is a process's resident memory in KiB.
func resident(t *testing.T, pid int) int {
	t.Helper()
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

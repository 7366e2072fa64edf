package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// server is a vm serve process with a state folder of its own.
type server struct {
	*client
	program string
	dir     string // state and configuration; thrown away
	cmd     *exec.Cmd
	log     tail
	answers int // that were checked and right
}

func startServer(ctx context.Context, program string) (*server, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("there is no program to show: %w; make build makes it", err)
	}
	dir, err := os.MkdirTemp("", "vm-demo-")
	if err != nil {
		return nil, err
	}
	s := &server{program: program, dir: dir}
	s.cmd = s.command(ctx, "serve")
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	s.cmd.WaitDelay = 10 * time.Second
	s.cmd.Stderr = &s.log
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.client = newClient(in, out)
	return s, nil
}

// command is vm with the demo's own state and nobody's settings.
func (s *server) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ITECHSMART_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "XDG_STATE_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir)
	return cmd
}

// leave ends the server as an editor does and returns its exit code.
func (s *server) leave(ctx context.Context) (int, error) {
	if err := s.call(ctx, "shutdown", nil, nil); err != nil {
		return 0, err
	}
	if err := s.notify("exit", nil); err != nil {
		return 0, err
	}
	<-s.ended // everything that it wrote has been read
	err := s.cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return 0, err
	}
	return s.cmd.ProcessState.ExitCode(), nil
}

// tidy ends what still runs and removes what the demo made, whatever happened.
func (s *server) tidy() error {
	if s.cmd.ProcessState == nil {
		_ = s.in.Close() // end of input ends the server
		<-s.ended
		_ = s.cmd.Wait() // how it ended is of no interest any more
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if out, err := s.command(ctx, "delete", "--all", "--yes").CombinedOutput(); err != nil {
		return fmt.Errorf("the demo's VMs could not be removed: %w\n%s", err, out)
	}
	return os.RemoveAll(s.dir)
}

// lastWords is the end of the server's log, for who has to find out.
func (s *server) lastWords() string {
	words := s.log.String()
	if words == "" {
		return ""
	}
	return "\nthe server's last words:\n" + words
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(p []byte) (int, error) {
	const most = 2 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - most; over > 0 {
		t.kept = bytes.Clone(t.kept[over:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

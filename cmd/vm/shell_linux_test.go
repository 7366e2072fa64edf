package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a terminal that a person sits at, with vm on it.
type screen struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	mu     sync.Mutex // guards shown
	shown  bytes.Buffer
}

// onScreen starts vm on a terminal of 24 rows and 80 columns.
func onScreen(t *testing.T, env []string, args ...string) *screen {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, master: os.NewFile(uintptr(fd), "ptmx"), cmd: program(t.Context(), env, args...)}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.resize(24, 80)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := s.master.Read(buf)
			s.mu.Lock()
			s.shown.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { s.master.Close() })
	return s
}

func (s *screen) resize(rows, cols uint16) {
	raw, err := s.master.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) typeIn(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

func (s *screen) await(want string) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(s.text(), want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("no %q on the screen: %q", want, s.text())
		}
	}
}

func (s *screen) exits(want int) {
	s.t.Helper()
	_ = s.cmd.Wait() // what it exits with is looked at
	if got := s.cmd.ProcessState.ExitCode(); got != want {
		s.t.Errorf("exit code %d, want %d; the screen: %q", got, want, s.text())
	}
}

func TestShell(t *testing.T) {
	env := sandbox(t)
	if out, err := program(t.Context(), env, "create", "box", "bash").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := onScreen(t, env, "shell", "box", "--shell", "sh")
	s.typeIn("stty size; echo $TERM-ok\r")
	s.await("24 80\r\n")
	s.await("-ok\r\n")
	s.resize(50, 132)
	s.typeIn("sleep 1000\r")
	s.await("sleep 1000\r\n")
	s.typeIn("\x03")
	s.typeIn("stty size; kept=yes\r")
	s.await("50 132\r\n")

	// Left open, and found again.
	s.typeIn("\x1d")
	s.await("The terminal stays open; ")
	s.exits(0)
	id := regexp.MustCompile(`--terminal (\S+)`).FindStringSubmatch(s.text())
	if id == nil {
		t.Fatalf("no id on the screen: %q", s.text())
	}
	again := onScreen(t, env, "shell", "--terminal", id[1])
	again.await("50 132\r\n")
	again.typeIn("echo ${kept}terday\r")
	again.await("yesterday\r\n")
	again.typeIn("stty size; exit 7\r")
	again.await("24 80\r\n")
	again.exits(7)

	// Closed with the VM.
	last := onScreen(t, env, "shell", "box")
	last.typeIn("echo o''pen\r")
	last.await("open\r\n")
	if out, err := program(t.Context(), env, "stop", "box").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_ = last.cmd.Wait()
	if last.cmd.ProcessState.ExitCode() == 0 {
		t.Errorf("vm shell ended well: %q", last.text())
	}
}

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// multiplexer is a tmux server of a test's own: a terminal whose screen can be
// read as a person would see it.
type multiplexer struct {
	t   *testing.T
	env []string
	dir string
}

// newMultiplexer skips the test where a program is missing that it is about.
func newMultiplexer(t *testing.T, env []string, programs ...string) *multiplexer {
	t.Helper()
	for _, name := range append(programs, "tmux") {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
	m := &multiplexer{t: t, dir: t.TempDir()}
	m.env = append(env, "TMUX_TMPDIR="+m.dir, "TMUX=", "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(m.dir, "vm"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *multiplexer) tmux(args ...string) string {
	m.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-f", "/dev/null"}, args...)...)
	cmd.Env = m.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// pane is one terminal of a multiplexer, with vm on it.
type pane struct {
	*multiplexer
	name string
}

// start shows vm on a pane of 100 columns and 30 rows.
func (m *multiplexer) start(name string, args ...string) pane {
	m.t.Helper()
	command := append([]string{filepath.Join(m.dir, "vm")}, args...)
	m.tmux(append([]string{"new-session", "-d", "-s", name, "-x", "100", "-y", "30", "--"}, command...)...)
	m.t.Cleanup(func() {
		kill := exec.Command("tmux", "kill-session", "-t", name)
		kill.Env = m.env
		_ = kill.Run() // it may have ended with its program
	})
	return pane{m, name}
}

func (p pane) keys(keys ...string) {
	p.t.Helper()
	p.tmux(append([]string{"send-keys", "-t", p.name}, keys...)...)
}

// line types a line of text as it is.
func (p pane) line(text string) {
	p.t.Helper()
	p.keys("-l", text)
	p.keys("Enter")
}

// await waits until what is on the screen, or has been, matches.
func (p pane) await(pattern string) string {
	p.t.Helper()
	want := regexp.MustCompile(`(?m)` + pattern)
	var shown string
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if shown = p.tmux("capture-pane", "-p", "-S", "-", "-t", p.name); want.MatchString(shown) {
			return shown
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("no %s on the screen:\n%s", pattern, shown)
		}
	}
}

// prompt is what the shell says when it reads again. What is typed before that, the
// program that ends may have read, or thrown away.
const prompt = `^ready>\s*\z`

// shell opens a shell in a VM on a pane.
func (m *multiplexer) shell(name, vm string) pane {
	m.t.Helper()
	p := m.start(name, "shell", vm, "--shell", "sh")
	p.line("PS1='re''ady> '")
	p.await(prompt)
	return p
}

// TestFullScreenPrograms edits a file with vi and looks at top, side by side, and
// comes back to what a terminal has shown.
func TestFullScreenPrograms(t *testing.T) {
	env := sandbox(t)
	m := newMultiplexer(t, env, "vi", "top")
	if out, err := program(t.Context(), env, "create", "box", "bash").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	editor, other := m.shell("editor", "box"), m.shell("other", "box")
	editor.line("vi notes.txt")
	editor.await(`^~$`)
	editor.keys("i")
	editor.line("first line, grüße 漢字")
	editor.keys("-l", "second line")
	editor.keys("Escape")
	editor.await(`^first line, grüße 漢字\nsecond line\n~$`)

	other.line("top -d 1")
	other.await(`load average`)
	other.await(`PID .*COMMAND`)
	m.tmux("resize-window", "-t", "other", "-x", "120", "-y", "40")
	other.keys("q")
	other.await(prompt)
	other.line(`until [ "$(stty size)" = "40 120" ]; do sleep 0.1; done; echo re""sized`)
	other.await(`^resized$`)

	editor.keys("-l", "ggddp:wq")
	editor.keys("Enter")
	editor.await(prompt)
	out, err := program(t.Context(), env, "execute", "box", "cat notes.txt").Output()
	if want := "second line\nfirst line, grüße 漢字\n"; err != nil || !bytes.Equal(out, []byte(want)) {
		t.Errorf("vi has written %q, %v; want %q", out, err, want)
	}

	// Left, and followed again: what has scrolled off the screen comes back too.
	other.line("seq 1000 1100")
	other.await(`^1100$`)
	m.tmux("set-option", "-t", "other", "remain-on-exit", "on")
	other.keys("C-]")
	id := regexp.MustCompile(`--terminal (\S+)`).FindStringSubmatch(other.await(`--terminal \S+ follows`))
	again := m.start("again", "shell", "--terminal", id[1])
	shown := again.await(`^1100$`)
	if !strings.Contains(shown, "\n1000\n1001\n") {
		t.Errorf("what was shown before is not shown again:\n%s", shown)
	}
	again.line("echo a''live")
	again.await(`^alive$`)
}

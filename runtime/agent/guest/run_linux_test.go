package guest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// sh is a run of a shell script.
func sh(id, script string) agent.Run {
	return agent.Run{ID: id, Command: []string{"/bin/sh", "-c", script}}
}

// collector is a sink that keeps everything.
type collector struct{ stdout, stderr bytes.Buffer }

func (c *collector) sink(s agent.Stream, p []byte) {
	if s == agent.Stderr {
		c.stderr.Write(p)
		return
	}
	c.stdout.Write(p)
}

func TestRun(t *testing.T) {
	home := openDir(t)
	c := connect(t, newGuest(t, guest.Config{Home: home, Env: []string{"COLOUR=red", "SHAPE=round"}}))
	tests := []struct {
		name           string
		run            agent.Run
		want           agent.Result
		stdout, stderr string
	}{
		{
			name: "success", run: sh("", "exit 0"),
			want: agent.Result{Verdict: agent.Exited, Phase: "run"},
		},
		{
			name: "exit code", run: sh("", "echo out; echo err >&2; exit 3"),
			want:   agent.Result{Verdict: agent.Exited, Phase: "run", ExitCode: 3},
			stdout: "out\n", stderr: "err\n",
		},
		{
			name: "signal", run: sh("", "kill -SEGV $$"),
			want: agent.Result{Verdict: agent.Signaled, Phase: "run", ExitCode: 139, Signal: "SIGSEGV"},
		},
		{
			name: "killed by itself", run: sh("", "kill -9 $$"),
			want: agent.Result{Verdict: agent.Signaled, Phase: "run", ExitCode: 137, Signal: "SIGKILL"},
		},
		{
			name: "stdin is closed unless given", run: sh("", "cat; echo end"),
			want: agent.Result{Verdict: agent.Exited, Phase: "run"}, stdout: "end\n",
		},
		{
			name: "stdin", run: agent.Run{Command: []string{"cat"}, Stdin: []byte("one\x00two\xff")},
			want: agent.Result{Verdict: agent.Exited, Phase: "run"}, stdout: "one\x00two\xff",
		},
		{
			name: "stdin that nobody reads", run: agent.Run{Command: []string{"true"}, Stdin: make([]byte, 4<<20)},
			want: agent.Result{Verdict: agent.Exited, Phase: "run"},
		},
		{
			name: "environment",
			run: agent.Run{
				Command: []string{"sh", "-c", "echo $COLOUR $SHAPE $SIZE $HOME"},
				Env:     []string{"COLOUR=green", "SIZE=small", "COLOUR=blue"},
			},
			want: agent.Result{Verdict: agent.Exited, Phase: "run"}, stdout: "blue round small " + home + "\n",
		},
		{
			name: "files and working directory",
			run: agent.Run{
				Dir: "deep/er", Command: []string{"sh", "-c", "pwd; cat ../up here/there; ./tool"},
				Files: []agent.File{
					{Path: "../up", Data: []byte("up\n")},
					{Path: "here/there", Data: []byte("there\n")},
					{Path: "tool", Data: []byte("#!/bin/sh\necho tool\n"), Mode: 0o755},
				},
			},
			want:   agent.Result{Verdict: agent.Exited, Phase: "run"},
			stdout: home + "/deep/er\nup\nthere\ntool\n",
		},
		{
			name: "signals as they should be", run: agent.Run{Command: []string{"grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"}},
			want: agent.Result{Verdict: agent.Exited, Phase: "run"}, stdout: "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n",
		},
		{
			name: "no descriptors but its own", run: agent.Run{Command: []string{"ls", "/proc/self/fd"}},
			want: agent.Result{Verdict: agent.Exited, Phase: "run"}, stdout: "0\n1\n2\n3\n", // 3 is the folder
		},
		{
			name: "missing", run: agent.Run{Command: []string{"no-such-program", "x"}},
			want: agent.Result{Verdict: agent.Exited, Phase: "run", ExitCode: 127, Missing: "no-such-program"},
		},
		{
			name: "missing in the run's own path", run: agent.Run{Command: []string{"sh"}, Env: []string{"PATH=/nowhere"}},
			want: agent.Result{Verdict: agent.Exited, Phase: "run", ExitCode: 127, Missing: "sh"},
		},
		{
			name: "missing with a folder", run: agent.Run{Command: []string{"./nothing"}},
			want: agent.Result{Verdict: agent.Exited, Phase: "run", ExitCode: 127, Missing: "./nothing"},
		},
		{
			name: "not executable",
			run:  agent.Run{Command: []string{"./plain"}, Files: []agent.File{{Path: "plain", Data: []byte("x")}}},
			want: agent.Result{Verdict: agent.Exited, Phase: "run", ExitCode: 126}, stderr: "./plain: permission denied\n",
		},
		{
			name: "interpreter missing",
			run: agent.Run{
				Command: []string{"./script"},
				Files:   []agent.File{{Path: "script", Data: []byte("#!/no/interpreter\n"), Mode: 0o755}},
			},
			want:   agent.Result{Verdict: agent.Exited, Phase: "run", ExitCode: 126},
			stderr: "./script: the interpreter or loader that it names is not in this VM\n",
		},
		{
			name: "build and run",
			run: agent.Run{
				Build:   []string{"sh", "-c", "cat; echo building; echo '#!/bin/sh\ncat' >built; chmod +x built"},
				Command: []string{"./built"}, Stdin: []byte("input"), Dir: "build",
			},
			want: agent.Result{Verdict: agent.Exited, Phase: "run"}, stdout: "building\ninput",
		},
		{
			name: "build fails",
			run:  agent.Run{Build: []string{"sh", "-c", "echo bad >&2; exit 2"}, Command: []string{"true"}},
			want: agent.Result{Verdict: agent.Exited, Phase: "build", ExitCode: 2}, stderr: "bad\n",
		},
		{
			name: "compiler missing", run: agent.Run{Build: []string{"no-such-compiler"}, Command: []string{"true"}},
			want: agent.Result{Verdict: agent.Exited, Phase: "build", ExitCode: 127, Missing: "no-such-compiler"},
		},
		{
			name: "file size", run: agent.Run{Command: []string{"dd", "if=/dev/zero", "of=big", "bs=64k", "count=99"}, FileSize: 1 << 20},
			want: agent.Result{Verdict: agent.DiskFull, Phase: "run", ExitCode: 153, Signal: "SIGXFSZ"},
		},
		{
			name: "words of a full disk alone", run: sh("", "echo 'write: No space left on device' >&2; exit 1"),
			want: agent.Result{Verdict: agent.Exited, Phase: "run", ExitCode: 1}, stderr: "write: No space left on device\n",
		},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.run.ID = fmt.Sprint("table", i)
			var got collector
			res, err := c.Run(t.Context(), test.run, got.sink)
			if err != nil {
				t.Fatal(err)
			}
			test.want.ID = test.run.ID
			measured := cmpopts.IgnoreFields(agent.Result{}, "StartedAt", "Wall", "CPU", "PeakMemory", "Stdout", "Stderr")
			if diff := cmp.Diff(test.want, res, measured); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if test.name == "file size" { // dd tells how much it wrote
				return
			}
			if diff := cmp.Diff([]string{test.stdout, test.stderr}, []string{got.stdout.String(), got.stderr.String()}); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{test.stdout, test.stderr}, []string{string(res.Stdout.Head), string(res.Stderr.Head)}); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	ok := sh("ok", "true")
	if _, err := c.Run(t.Context(), ok, nil); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		run  agent.Run
		want error
	}{
		{"ID again", ok, agent.ErrExists},
		{"no ID", sh("", "true"), agent.ErrInvalid},
		{"long ID", sh(strings.Repeat("x", 200), "true"), agent.ErrInvalid},
		{"no command", agent.Run{ID: "1"}, agent.ErrInvalid},
		{"root where there is none", agent.Run{ID: "2", Command: []string{"id"}, User: "root"}, agent.ErrInvalid},
		{"another user", agent.Run{ID: "3", Command: []string{"id"}, User: "daemon"}, agent.ErrInvalid},
		{"record too large", agent.Run{ID: "4", Command: []string{"id"}, RecordBytes: 1 << 30}, agent.ErrInvalid},
		{"negative timeout", agent.Run{ID: "5", Command: []string{"id"}, Timeout: -1}, agent.ErrInvalid},
		{"folder is a file", agent.Run{ID: "6", Command: []string{"id"}, Dir: "/etc/passwd/x"}, agent.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := c.Run(t.Context(), test.run, nil); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err := c.Start(t.Context(), test.run); !errors.Is(err, test.want) {
				t.Errorf("Start: got %v, want %v", err, test.want)
			}
		})
	}
	runs, err := c.Runs(t.Context())
	if err != nil || len(runs) != 1 {
		t.Errorf("a refused run was kept: %+v, %v", runs, err)
	}
}

// A file is written with its user's rights: a link that the VM's code planted
// leads nowhere that the code could not go.
func TestFileBehindLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the guest has other rights than its programs only as root")
	}
	home := openDir(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(home, "link")); err != nil {
		t.Fatal(err)
	}
	c := connect(t, newGuest(t, guest.Config{Home: home}))
	run := sh("link", "true")
	run.Files = []agent.File{{Path: "link", Data: []byte("lost")}}
	_, err := c.Run(t.Context(), run, nil)
	if !errors.Is(err, agent.ErrInvalid) || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(secret); string(b) != "kept" {
		t.Errorf("the file behind the link holds %q", b)
	}
}

func TestFilesBelongToUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the guest has another user for its programs only as root")
	}
	c := connect(t, newGuest(t, guest.Config{UID: 1234, GID: 2345, AllowRoot: true}))
	for user, want := range map[string]string{"": "1234 2345 2345", "root": "0 0 0"} {
		run := sh("as "+user, "echo $(stat -c '%u %g' f) $(id -G)")
		run.User = user
		run.Dir = "of-" + user
		run.Files = []agent.File{{Path: "f"}}
		res, err := c.Run(t.Context(), run, nil)
		if got := strings.TrimSpace(string(res.Stdout.Head)); err != nil || got != want {
			t.Errorf("user %q: got %q (%s), want %q; %v", user, got, res.Stderr.Head, want, err)
		}
	}
}

// Output passes as bytes: a character is split where the program splits it.
func TestSplitCharacter(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	run := sh("split", `printf '\303'; read go; printf '\251'`)
	run.OpenStdin = true
	got := make(chan string, 8)
	done := make(chan error, 1)
	go func() {
		_, err := c.Run(t.Context(), run, func(_ agent.Stream, p []byte) { got <- string(p) })
		done <- err
	}()
	if p := <-got; p != "\xc3" {
		t.Errorf("first came %q", p)
	}
	if err := c.Input(t.Context(), "split", []byte("go\n"), true); err != nil {
		t.Error(err)
	}
	if p := <-got; p != "\xa9" {
		t.Errorf("then came %q", p)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestInput(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	run := agent.Run{ID: "in", Command: []string{"cat"}, Stdin: []byte("a"), OpenStdin: true}
	if err := c.Start(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"b", "", "c"} {
		if err := c.Input(t.Context(), "in", []byte(s), false); err != nil {
			t.Error(err)
		}
	}
	if err := c.Input(t.Context(), "in", []byte("d"), true); err != nil {
		t.Error(err)
	}
	res, err := c.Follow(t.Context(), "in", nil)
	if err != nil || string(res.Stdout.Head) != "abcd" {
		t.Errorf("got %q, %v", res.Stdout.Head, err)
	}
	if err := c.Input(t.Context(), "in", []byte("late"), false); err != nil {
		t.Errorf("input after the end: %v", err)
	}
	if err := c.Input(t.Context(), "nobody", nil, true); !errors.Is(err, agent.ErrNotFound) {
		t.Errorf("input for no run: %v", err)
	}
	if _, err := c.Run(t.Context(), sh("closed", "true"), nil); err != nil {
		t.Error(err)
	}
	if err := c.Input(t.Context(), "closed", nil, true); !errors.Is(err, agent.ErrInvalid) {
		t.Errorf("input for a run without: %v", err)
	}
}

// Megabytes of input and of output at the same time do not wait for each other.
func TestInputAgainstOutput(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	data := bytes.Repeat([]byte("0123456789abcdef"), 512<<10)
	var got collector
	run := agent.Run{ID: "tee", Command: []string{"tee", "/dev/stderr"}, Stdin: data}
	if _, err := c.Run(t.Context(), run, got.sink); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.stdout.Bytes(), data) || !bytes.Equal(got.stderr.Bytes(), data) {
		t.Errorf("got %d and %d bytes of %d", got.stdout.Len(), got.stderr.Len(), len(data))
	}
}

func TestCancel(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res, err := c.Run(ctx, sh("c", "echo begun; exec sleep 1000"), func(agent.Stream, []byte) { cancel() })
	if err != nil || res.Verdict != agent.Cancelled || string(res.Stdout.Head) != "begun\n" {
		t.Errorf("got %s, %v", brief(res), err)
	}
	if _, err := c.Run(ctx, sh("d", "true"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a run begun too late: %v", err)
	}
}

func TestSignalAndKill(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	ready := func(id, script string) <-chan agent.Result {
		t.Helper()
		begun, ended := make(chan struct{}, 8), make(chan agent.Result, 1)
		go func() {
			res, err := c.Run(t.Context(), sh(id, script), func(agent.Stream, []byte) { begun <- struct{}{} })
			if err != nil {
				t.Error(err)
			}
			ended <- res
		}()
		<-begun
		return ended
	}

	ended := ready("int", "trap 'echo caught; exit 7' INT; echo; sleep 1000 & wait")
	if err := c.Signal(t.Context(), "int", "SIGINT"); err != nil {
		t.Error(err)
	}
	if res := <-ended; res.Verdict != agent.Exited || res.ExitCode != 7 || string(res.Stdout.Head) != "\ncaught\n" {
		t.Errorf("after SIGINT: %s", brief(res))
	}

	ended = ready("kill", "trap '' TERM INT; echo; while :; do sleep 1000; done")
	if err := c.Kill(t.Context(), "kill", agent.DiskFull); err != nil {
		t.Error(err)
	}
	if res := <-ended; res.Verdict != agent.DiskFull || res.Signal != "SIGKILL" {
		t.Errorf("after Kill: %s", brief(res))
	}
	for _, err := range []error{
		c.Kill(t.Context(), "kill", agent.Timeout), // has ended: nothing happens
		c.Signal(t.Context(), "kill", "SIGTERM"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := c.Signal(t.Context(), "kill", "SIGNOTHING"); !errors.Is(err, agent.ErrInvalid) {
		t.Errorf("a signal that is none: %v", err)
	}
	if err := c.Kill(t.Context(), "nobody", agent.Timeout); !errors.Is(err, agent.ErrNotFound) {
		t.Errorf("nobody killed: %v", err)
	}
}

// A kill at any moment of a run's short life leaves one of its two possible ends.
func TestKillRace(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	for i := range 100 {
		id := fmt.Sprint("race", i)
		killed := make(chan error, 1)
		go func() {
			for {
				err := c.Kill(t.Context(), id, agent.Cancelled)
				if !errors.Is(err, agent.ErrNotFound) {
					killed <- err
					return
				}
			}
		}()
		res, err := c.Run(t.Context(), agent.Run{ID: id, Command: []string{"true"}}, nil)
		if err != nil || <-killed != nil {
			t.Fatal(err)
		}
		if res.Verdict == agent.Exited && res.ExitCode == 0 || res.Verdict == agent.Cancelled && res.ExitCode == 137 {
			continue
		}
		t.Fatalf("got %s", brief(res))
	}
}

func TestTimeout(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	run := sh("slow", "echo early; sleep 1000")
	run.Timeout = 200 * time.Millisecond
	if res := timesOut(t, c, run, nil); res.Verdict != agent.Timeout || string(res.Stdout.Head) != "early\n" {
		t.Errorf("got %s", brief(res))
	}
}

func TestForget(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	if err := c.Start(t.Context(), sh("long", "sleep 1000")); err != nil {
		t.Fatal(err)
	}
	if err := c.Forget(t.Context(), "long"); !errors.Is(err, agent.ErrInvalid) {
		t.Errorf("forgot a run that goes on: %v", err)
	}
	if err := c.Kill(t.Context(), "long", agent.Timeout); err != nil {
		t.Error(err)
	}
	if res, err := c.Follow(t.Context(), "long", nil); err != nil || res.Verdict != agent.Timeout {
		t.Errorf("got %s, %v", brief(res), err)
	}
	if err := c.Forget(t.Context(), "long"); err != nil {
		t.Error(err)
	}
	if _, err := c.Follow(t.Context(), "long", nil); !errors.Is(err, agent.ErrNotFound) {
		t.Errorf("followed what was forgotten: %v", err)
	}
}

func TestEviction(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	const more = 20
	for i := range 100 + more {
		if _, err := c.Run(t.Context(), agent.Run{ID: fmt.Sprint(i), Command: []string{"true"}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := c.Runs(t.Context())
	if err != nil || len(runs) != 100 || runs[0].ID != fmt.Sprint(more) {
		t.Errorf("%d runs are kept, the oldest is %+v; %v", len(runs), runs[0], err)
	}
}

func TestUsage(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	res, err := c.Run(t.Context(), sh("use", "dd if=/dev/zero of=/dev/null bs=64M count=8 2>/dev/null"), nil)
	if err != nil || res.CPU <= 0 || res.PeakMemory < 64<<20 {
		t.Errorf("CPU %v, peak %d MiB; %v", res.CPU, res.PeakMemory>>20, err)
	}
}

func TestWatchMemory(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	run := sh("hog", "echo before; tail /dev/zero")
	run.WatchMemory = 64 << 20
	res, err := c.Run(t.Context(), run, nil)
	if err != nil || res.Verdict != agent.OutOfMemory || string(res.Stdout.Head) != "before\n" {
		t.Errorf("got %s, %v", brief(res), err)
	}
}

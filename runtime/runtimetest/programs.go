package runtimetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

func testOutputs(t *testing.T, s *suite) {
	m := s.shared(t)
	for _, test := range []struct{ command, stdout, stderr string }{
		{"print", "words with  spaces\n", ""},
		{"err", "", "words with  spaces\n"},
	} {
		live := map[agent.Stream]string{}
		result := m.runTo(t, m.program(test.command, "words", "with  spaces"), func(stream agent.Stream, p []byte) {
			live[stream] += string(p)
		})
		expect(t, result, agent.Exited, 0)
		if got := string(result.Stdout.Head); got != test.stdout || live[agent.Stdout] != test.stdout {
			t.Errorf("%s: stdout = %q, live %q; want %q", test.command, got, live[agent.Stdout], test.stdout)
		}
		if got := string(result.Stderr.Head); got != test.stderr || live[agent.Stderr] != test.stderr {
			t.Errorf("%s: stderr = %q, live %q; want %q", test.command, got, live[agent.Stderr], test.stderr)
		}
	}
}

func testStdin(t *testing.T, s *suite) {
	m := s.shared(t)
	t.Run("none", func(t *testing.T) {
		if got := m.probe(t, "cat"); got != "" {
			t.Errorf("read %q where there is no input", got)
		}
	})
	t.Run("given", func(t *testing.T) {
		run := m.program("cat")
		run.Stdin = bytes.Repeat([]byte("line of input\n"), 20000)
		result := m.run(t, run)
		expect(t, result, agent.Exited, 0)
		if !bytes.Equal(result.Stdout.Head, run.Stdin) {
			t.Errorf("%d bytes came back of %d", len(result.Stdout.Head), len(run.Stdin))
		}
	})
	t.Run("open", func(t *testing.T) {
		run := m.program("greet")
		run.OpenStdin = true
		result := m.during(t, run, func(ctx context.Context, id string) {
			for _, part := range []string{"wor", "ld\n"} {
				if err := m.client.Input(ctx, id, []byte(part), false); err != nil {
					t.Errorf("input: %v", err)
				}
			}
		})
		expect(t, result, agent.Exited, 0)
		if got := string(result.Stdout.Head); got != "ready\ngot world\n" {
			t.Errorf("stdout = %q", got)
		}
	})
}

// testBinary passes every byte there is, in both directions.
func testBinary(t *testing.T, s *suite) {
	m := s.shared(t)
	run := m.program("cat")
	for b := range 256 {
		run.Stdin = append(run.Stdin, byte(b), 0, 0xff, byte(b))
	}
	result := m.run(t, run)
	if diff := cmp.Diff(run.Stdin, result.Stdout.Head); diff != "" {
		t.Error(diff)
	}
}

func testSplitCharacter(t *testing.T, s *suite) {
	const text = "größe ✓ 日本語 🙂"
	m := s.shared(t)
	live := ""
	result := m.runTo(t, m.program("split", text), func(_ agent.Stream, p []byte) { live += string(p) })
	if got := string(result.Stdout.Head); got != text || live != text {
		t.Errorf("record %q, live %q; want %q", got, live, text)
	}
}

func testExitCode(t *testing.T, s *suite) {
	m := s.shared(t)
	for code, text := range map[int]string{0: "0", 1: "1", 3: "3", 137: "137", 255: "255"} {
		expect(t, m.run(t, m.program("exit", text)), agent.Exited, code)
	}
}

func testOwnSignal(t *testing.T, s *suite) {
	m := s.shared(t)
	result := m.run(t, m.program("raise", "15"))
	expect(t, result, agent.Signaled, 128+int(syscall.SIGTERM))
	if result.Signal != "SIGTERM" {
		t.Errorf("signal = %q", result.Signal)
	}
}

func testSignal(t *testing.T, s *suite) {
	m := s.shared(t)
	result := m.during(t, m.program("sleep", "1h"), func(ctx context.Context, id string) {
		if err := m.client.Signal(ctx, id, "SIGINT"); err != nil {
			t.Errorf("signal: %v", err)
		}
	})
	// What SIGINT does is the program's choice: Go's default is to die of it,
	// or to exit with 2.
	if result.Verdict != agent.Signaled && (result.Verdict != agent.Exited || result.ExitCode != 2) {
		t.Error(describe(result))
	}
}

func testSurroundings(t *testing.T, s *suite) {
	m := s.shared(t)
	t.Run("home", func(t *testing.T) {
		var got report.Surroundings
		m.report(t, &got, "describe", "a b", "", "ü")
		if diff := cmp.Diff([]string{"a b", "", "ü"}, got.Args); diff != "" {
			t.Error(diff)
		}
		if !slices.Contains(got.Env, "HOME="+got.Dir) {
			t.Errorf("the working directory %q is not HOME of %q", got.Dir, got.Env)
		}
		for _, want := range []string{"FROM_SPEC=yes", "FROM_BOTH=spec"} {
			if !slices.Contains(got.Env, want) {
				t.Errorf("%s is missing from %q", want, got.Env)
			}
		}
	})
	t.Run("given", func(t *testing.T) {
		var got report.Surroundings
		run := m.program("describe")
		run.Dir = "/tmp/a new/folder"
		run.Env = append(run.Env, "FROM_BOTH=first", "FROM_BOTH=run=ü", "EMPTY=")
		m.decode(t, run, &got)
		if got.Dir != run.Dir {
			t.Errorf("working directory = %q", got.Dir)
		}
		for _, want := range []string{"FROM_SPEC=yes", "FROM_BOTH=run=ü", "EMPTY="} {
			if !slices.Contains(got.Env, want) {
				t.Errorf("%s is missing from %q", want, got.Env)
			}
		}
		if strings.Count(strings.Join(got.Env, "\n"), "FROM_BOTH=") != 1 {
			t.Errorf("a key stands more than once in %q", got.Env)
		}
	})
}

func testFiles(t *testing.T, s *suite) {
	m := s.shared(t)
	run := m.program("read", "sub/folder/data")
	run.Dir = "/tmp/files-case"
	run.Files = []agent.File{
		{Path: "sub/folder/data", Data: []byte("relative\x00")},
		{Path: "/tmp/files-case-absolute", Data: []byte("absolute")},
	}
	result := m.run(t, run)
	if got := string(result.Stdout.Head); got != "relative\x00" {
		t.Errorf("relative file: %s", describe(result))
	}
	if got := m.probe(t, "read", "/tmp/files-case-absolute"); got != "absolute" {
		t.Errorf("absolute file = %q", got)
	}
}

// testScratch: the folder is there for the run and gone after it, with what the
// program made in it.
func testScratch(t *testing.T, s *suite) {
	m := s.shared(t)
	run := m.program("write", "/tmp/scratch-case/made", "1")
	run.Scratch = "/tmp/scratch-case"
	run.Files = []agent.File{{Path: "/tmp/scratch-case/placed", Data: []byte("x")}}
	expect(t, m.run(t, run), agent.Exited, 0)
	for _, file := range []string{"placed", "made"} {
		if result := m.run(t, m.program("read", "/tmp/scratch-case/"+file)); result.ExitCode == 0 {
			t.Errorf("the guest did not remove %s with the run's scratch folder", file)
		}
	}
}

func testMissingProgram(t *testing.T, s *suite) {
	m := s.shared(t)
	for _, name := range []string{"no-such-program", "/no/such/program"} {
		run := m.program()
		run.Command = []string{name, "argument"}
		if result := m.run(t, run); result.Missing != name {
			t.Errorf("missing = %q, want %q", result.Missing, name)
		}
	}
}

func testFailedBuild(t *testing.T, s *suite) {
	m := s.shared(t)
	for _, test := range []struct {
		code, phase, stdout string
		exit                int
	}{
		{"0", "run", "built\n", 0},
		{"4", "build", "", 4},
	} {
		run := m.program("print", "built")
		run.Build = []string{probePath, "exit", test.code}
		result := m.run(t, run)
		expect(t, result, agent.Exited, test.exit)
		if result.Phase != test.phase || string(result.Stdout.Head) != test.stdout {
			t.Errorf("build exits with %s: %s", test.code, describe(result))
		}
	}
}

func testSameID(t *testing.T, s *suite) {
	m := s.shared(t)
	run := m.program("print", "once")
	expect(t, m.run(t, run), agent.Exited, 0)
	if err := m.client.Start(t.Context(), run); !errors.Is(err, agent.ErrExists) {
		t.Errorf("a second run of the same ID: %v, want ErrExists", err)
	}
}

func testForget(t *testing.T, s *suite) {
	m := s.shared(t)
	run := m.program("print", "forgotten")
	expect(t, m.run(t, run), agent.Exited, 0)
	known := func(r agent.Result) bool { return r.ID == run.ID }
	if runs, err := m.client.Runs(t.Context()); err != nil || !slices.ContainsFunc(runs, known) {
		t.Errorf("the run is not listed: %v", err)
	}
	if err := m.client.Forget(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := m.client.Follow(t.Context(), run.ID, nil); !errors.Is(err, agent.ErrNotFound) {
		t.Errorf("following a forgotten run: %v, want ErrNotFound", err)
	}
}

func testStats(t *testing.T, s *suite) {
	m := s.shared(t)
	m.during(t, m.program("sleep", "1h"), func(ctx context.Context, id string) {
		stats, err := m.client.Stats(ctx)
		if err != nil {
			t.Errorf("stats: %v", err)
		}
		if stats.Pids < 1 || stats.Memory <= 0 || stats.Uptime <= 0 {
			t.Errorf("with a program running: %+v", stats)
		}
		if err := m.client.Kill(ctx, id, agent.Cancelled); err != nil {
			t.Errorf("kill: %v", err)
		}
	})
}

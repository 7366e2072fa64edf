package lang

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

func TestPlan(t *testing.T) {
	for _, test := range []struct {
		name, lang string
		code       string
		args       []string
		o          PlanOptions
		want       agent.Run
	}{
		{
			name: "interpreted", lang: "python", code: "print()", args: []string{"-x", "y z"},
			o: PlanOptions{ID: "7", FileName: "/home/me/lesson.py", Dir: "work"},
			want: agent.Run{
				ID: "7", Dir: "work", Scratch: "/tmp/run-7",
				Command: []string{"python3", "-u", "/tmp/run-7/lesson.py", "-x", "y z"},
				Env:     []string{"PYTHONPATH=."},
				Zygote:  pythonZygote(),
				Files:   []agent.File{{Path: "/tmp/run-7/lesson.py", Data: []byte("print()")}},
			},
		},
		{
			name: "version of the host", lang: "python", o: PlanOptions{ID: "7", Version: "3.12", Host: true},
			want: agent.Run{
				ID: "7", Scratch: "/tmp/run-7", Command: []string{"python3.12", "-u", "/tmp/run-7/main.py"},
				Env:    []string{"PYTHONPATH=."},
				Zygote: pythonZygote(),
				Files:  []agent.File{{Path: "/tmp/run-7/main.py", Data: []byte{}}},
			},
		},
		{
			name: "compiled", lang: "rust", code: "fn main() {}", o: PlanOptions{ID: "7", Version: "1.80", FileName: "a.b.rs"},
			want: agent.Run{
				ID: "7", Scratch: "/tmp/run-7",
				Build:   []string{"sh", "-c", rustWithPackages, "rustc", "--edition=2021", "--crate-name=main", "-Cdebuginfo=0", "-o", "/tmp/run-7/a.b", "/tmp/run-7/a.b.rs"},
				Command: []string{"/tmp/run-7/a.b"},
				Files:   []agent.File{{Path: "/tmp/run-7/a.b.rs", Data: []byte("fn main() {}")}},
			},
		},
		{
			name: "files alongside", lang: "bash", code: ":",
			o: PlanOptions{ID: "7", Files: []agent.File{
				{Path: "lib.sh", Data: []byte("1")}, {Path: "data.csv", Data: []byte("2")}, {Path: "/etc/x.sh"}, {Path: "../up.sh"},
			}},
			want: agent.Run{
				ID: "7", Scratch: "/tmp/run-7", Command: []string{"bash", "/tmp/run-7/main.sh"},
				Files: []agent.File{
					{Path: "lib.sh", Data: []byte("1")}, {Path: "data.csv", Data: []byte("2")}, {Path: "/etc/x.sh"}, {Path: "../up.sh"},
					{Path: "/tmp/run-7/lib.sh", Data: []byte("1")},
					{Path: "/tmp/run-7/main.sh", Data: []byte(":")},
				},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := find(t, test.lang).Plan([]byte(test.code), test.args, test.o)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// rustWithPackages is the shell around Rust's compiler.
const rustWithPackages = `command -v "$0" >/dev/null || { echo "vm: no such program: $0" >&2; exit 127; }; ` +
	`if [ -f "$HOME/.vm-crates/rustc-args" ]; then set -- "$@" "@$HOME/.vm-crates/rustc-args"; fi; exec "$0" "$@"`

func TestFileName(t *testing.T) {
	python := find(t, "python")
	for asked, want := range map[string]string{
		"":                "main.py",
		"größe 1.py":      "größe 1.py",
		`C:\work\x.PY`:    "x.PY",
		"-c.py":           "main.py",
		"it's.py":         "main.py",
		"x.rb":            "main.py",
		"a\nb.py":         "main.py",
		"../..":           "main.py",
		"untitled:Two.py": "main.py",
	} {
		if got := python.fileName(asked); got != want {
			t.Errorf("fileName(%q) = %q, want %q", asked, got, want)
		}
	}
}

func TestMissing(t *testing.T) {
	for _, test := range []struct {
		name    string
		lang    string
		version string
		result  agent.Result
		want    string
		hint    string
	}{
		{"not started", "python", "3.12", agent.Result{Missing: "python3"}, "Python 3.12 is not in this VM: it has no python3", "python:3.12-slim"},
		{"no alternative", "lua", "", agent.Result{ExitCode: 127, Stderr: agent.Record{Head: []byte("vm: no such program: lua5.4, lua\n")}}, "no lua5.4 or lua", "apt-get install lua5.4"},
		{"the program's own 127", "bash", "", agent.Result{ExitCode: 127, Stderr: agent.Record{Head: []byte("x: command not found")}}, "", ""},
		{"success", "bash", "", agent.Result{}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := find(t, test.lang).Missing(test.result, test.version)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, runtime.ErrUnavailable) || !strings.Contains(err.Error(), test.want) || !strings.Contains(runtime.Hint(err), test.hint) {
				t.Errorf("error = %v; hint %q", err, runtime.Hint(err))
			}
		})
	}
}

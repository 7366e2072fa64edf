package lang

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
)

func builtin(t *testing.T) *Table {
	t.Helper()
	table, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func find(t *testing.T, name string) Language {
	t.Helper()
	l, _, err := builtin(t).Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		name, id, version string
		err               error
	}{
		{name: "python", id: "python"},
		{name: "py", id: "python"},
		{name: " Python ", id: "python"},
		{name: "python@3.12", id: "python", version: "3.12"},
		{name: "js@20", id: "javascript", version: "20"},
		{name: "shellscript", id: "bash"},
		{name: "c++", id: "cpp"},
		{name: "", err: ErrUnknown},
		{name: "cobol", err: ErrUnknown},
		{name: "python@", err: ErrInvalidVersion},
		{name: "python@3.12;rm", err: ErrInvalidVersion},
		{name: "python@../3", err: ErrInvalidVersion},
	} {
		l, version, err := builtin(t).Find(test.name)
		if !errors.Is(err, test.err) || l.ID != test.id || version != test.version {
			t.Errorf("Find(%q) = %q, %q, %v; want %q, %q, %v", test.name, l.ID, version, err, test.id, test.version, test.err)
		}
		if err != nil && runtime.Hint(err) == "" {
			t.Errorf("Find(%q): no hint", test.name)
		}
	}
}

func TestForFile(t *testing.T) {
	for file, id := range map[string]string{
		"a/b.py": "python", "MAIN.R": "r", "x.cc": "cpp", "x.mts": "typescript", "README": "", "x.zig": "",
	} {
		l, found := builtin(t).ForFile(file)
		if l.ID != id || found != (id != "") {
			t.Errorf("ForFile(%q) = %q, %t; want %q", file, l.ID, found, id)
		}
	}
}

// TestRows holds every built-in row to what a user's row must fulfil, and to
// having its test programs.
func TestRows(t *testing.T) {
	for _, l := range builtin(t).Languages() {
		if err := l.check(); err != nil {
			t.Errorf("%s: %v", l.ID, err)
		}
		var kinds []string
		files, _ := filepath.Glob(filepath.Join("langtest", "testdata", l.ID, "*"))
		for _, f := range files {
			kind, _, _ := strings.Cut(filepath.Base(f), ".")
			kinds = append(kinds, kind)
		}
		want := []string{"error", "exit3", "hello"}
		if l.Build != nil {
			want = append(want, "build-error")
		}
		for _, kind := range want {
			if !slices.Contains(kinds, kind) {
				t.Errorf("%s: no test program %s", l.ID, kind)
			}
		}
		if _, err := l.ImageFor(""); err != nil {
			t.Errorf("%s: %v", l.ID, err)
		}
		if l.Package == "" || l.VersionCommand == nil {
			t.Errorf("%s: incomplete row", l.ID)
		}
	}
	entries, err := os.ReadDir(filepath.Join("langtest", "testdata"))
	if err != nil || len(entries) != len(builtin(t).Languages()) {
		t.Errorf("test programs of %d languages for %d rows, %v", len(entries), len(builtin(t).Languages()), err)
	}
}

func TestImageFor(t *testing.T) {
	pinned, err := New(map[string]Override{"lua": {Image: "registry.local/lua:mine"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		table               *Table
		name, version, want string
	}{
		{builtin(t), "python", "", "python:3.13-slim"},
		{builtin(t), "python", "3.12", "python:3.12-slim"},
		{pinned, "lua", "", "registry.local/lua:mine"},
		{pinned, "lua", "5.3", ""},
	} {
		l, _, err := test.table.Find(test.name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.ImageFor(test.version)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s: ImageFor(%q) = %q, %v; want %q", test.name, test.version, got, err, test.want)
		}
	}
}

func TestHostCommands(t *testing.T) {
	for _, test := range []struct {
		name, version string
		want          [][]string
	}{
		{"python", "", [][]string{{"python3"}}},
		{"python", "3.12", [][]string{{"python3.12"}}},
		{"lua", "", [][]string{{"lua5.4", "lua", "lua5.3", "luajit"}}},
		{"java", "", [][]string{{"javac"}, {"java"}}},
		{"rust", "", [][]string{{"rustc"}}},
		{"c", "12", [][]string{{"gcc-12"}}},
		{"typescript", "", [][]string{{"node"}}},
		{"javascript", "20", nil},
	} {
		got, err := find(t, test.name).HostCommands(test.version)
		if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != (test.want == nil) {
			t.Errorf("%s@%s: %v %s", test.name, test.version, err, diff)
		}
	}
}

func TestOverrides(t *testing.T) {
	for _, test := range []struct {
		name string
		id   string
		o    Override
		want string // part of the error; "" = none
	}{
		{"image alone", "python", Override{Image: "my/python:%s"}, ""},
		{"new language", "zig", Override{FileName: "main.zig", Build: []string{"zig", "build-exe", "-femit-bin={out}", "{file}"}, Run: []string{"{out}"}}, ""},
		{"new with extensions alone", "zig", Override{Extensions: []string{".ZIG"}, Run: []string{"zig", "{file}"}}, ""},
		{"new without run", "zig", Override{FileName: "main.zig"}, "languages.zig.run: "},
		{"new without file name", "zig", Override{Run: []string{"zig"}}, "languages.zig.fileName: "},
		{"path as file name", "python", Override{FileName: "../main.py"}, "languages.python.fileName: "},
		{"shell in program", "python", Override{Run: []string{"python3; rm", "{file}"}}, "languages.python.run: "},
		{"unknown placeholder", "python", Override{Run: []string{"python3", "{source}"}}, "{source} is no placeholder"},
		{"image with space", "python", Override{Image: "a b"}, "languages.python.image: "},
		{"image with other verb", "python", Override{Image: "a:%d"}, "languages.python.image: "},
		{"another's extension", "zig", Override{FileName: "main.zig", Extensions: []string{".py"}, Run: []string{"zig", "{file}"}}, `".py" already belongs to python`},
		{"another's name", "zig", Override{FileName: "main.zig", Aliases: []string{"js"}, Run: []string{"zig", "{file}"}}, `"js" already belongs to`},
		{"environment", "python", Override{Env: []string{"PLAIN"}}, "languages.python.env: "},
		{"bad id", "Zig!", Override{FileName: "main.zig", Run: []string{"zig"}}, "is no name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			table, err := New(map[string]Override{test.id: test.o})
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := table.Find(test.id); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one with %q", err, test.want)
			}
		})
	}
}

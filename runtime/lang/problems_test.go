package lang

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime/lang/trace"
)

func TestProblems(t *testing.T) {
	table, err := New(map[string]Override{"toy": {FileName: "main.toy", Extensions: []string{".toy"}, Run: []string{"toy", "{file}"}}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, language, file string
		code, stderr         string
		want                 []Problem
	}{
		{
			name: "a frame of a library is not the caller's", language: "python", file: "app.py",
			code:   "import json\njson.loads('x')\n",
			stderr: "Traceback (most recent call last):\n  File \"/tmp/run-7/app.py\", line 2, in <module>\n    json.loads('x')\n  File \"/usr/lib/python3/json.py\", line 346, in loads\n    return x\nValueError: no JSON\n",
			want:   []Problem{{Message: "ValueError: no JSON", At: Place{Line: 1, Start: 0, End: 15}}},
		},
		{
			name: "one of a file beside the code", language: "python", file: "app.py",
			code:   "import util\nutil.f()\n",
			stderr: "Traceback (most recent call last):\n  File \"/tmp/run-7/app.py\", line 2, in <module>\n    util.f()\n  File \"/tmp/run-7/pkg/util.py\", line 3, in f\n    return 1 / 0\nZeroDivisionError: division by zero\n",
			want: []Problem{{Message: "ZeroDivisionError: division by zero", At: Place{File: "pkg/util.py", Line: 2, Function: "f"},
				Calls: []Place{{Line: 1, Start: 0, End: 8}}}},
		},
		{
			name: "another execution's code", language: "python", file: "app.py",
			code:   "f()\n",
			stderr: "Traceback (most recent call last):\n  File \"/tmp/run-7/app.py\", line 1, in <module>\n  File \"/tmp/run-6/app.py\", line 9, in f\nKeyError: 'x'\n",
			want:   []Problem{{Message: "KeyError: 'x'", At: Place{Line: 0, Start: 0, End: 3}}},
		},
		{
			name: "columns count bytes in Go, and UTF-16 on the wire", language: "go", file: "x.go",
			code:   "package main\n\nfunc main() { println(\"😀ä\", boom) }\n",
			stderr: "# command-line-arguments\n/tmp/run-7/x.go:3:33: undefined: boom\n",
			want:   []Problem{{Message: "undefined: boom", At: Place{Line: 2, Start: 29, End: 33}}},
		},
		{
			name: "carets below a line that is printed without its indentation", language: "python", file: "app.py",
			code:   "if True:\n        größe = 1 / null\n",
			stderr: "Traceback (most recent call last):\n  File \"/tmp/run-7/app.py\", line 2, in <module>\n    größe = 1 / null\n                ^^^^\nNameError: name 'null' is not defined\n",
			want:   []Problem{{Message: "NameError: name 'null' is not defined", At: Place{Line: 1, Start: 20, End: 24}}},
		},
		{
			name: "behind the last line", language: "bash", file: "a.sh",
			code:   "if true; then\n  echo a\n\n",
			stderr: "/tmp/run-7/a.sh: line 4: syntax error: unexpected end of file\n",
			want:   []Problem{{Message: "syntax error: unexpected end of file", At: Place{Line: 1, Start: 2, End: 8}}},
		},
		{
			name: "a language that names no file", language: "sql",
			code:   "select 1;\n  select nope;\n",
			stderr: "Parse error near line 2: no such column: nope\n  select nope;\n         ^--- error here\n",
			want:   []Problem{{Message: "no such column: nope", At: Place{Line: 1, Start: 9, End: 13}}},
		},
		{
			name: "the class gives the file its name", language: "java", file: "anything.java",
			code:   "public class Shop {\n  public static void main(String[] a) { throw new Error(\"x\"); }\n}\n",
			stderr: "Exception in thread \"main\" java.lang.Error: x\n\tat Shop.main(Shop.java:2)\n",
			want:   []Problem{{Message: "java.lang.Error: x", At: Place{Line: 1, Start: 2, End: 63, Function: "Shop.main"}}},
		},
		{
			name: "a language of the user's own", language: "toy", file: "a.toy",
			code:   "one\ntwo three\n",
			stderr: "/tmp/run-7/a.toy:2:5: warning: three is too much\n",
			want:   []Problem{{Severity: trace.Warning, Message: "three is too much", At: Place{Line: 1, Start: 4, End: 9}}},
		},
		{name: "words of the program", language: "python", code: "x\n", stderr: "ValueError: it says\nFile \"x\", line 2\n"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			l, _, err := table.Find(c.language)
			if err != nil {
				t.Fatal(err)
			}
			got := l.Problems(Ran{ID: "7", FileName: c.file, Code: []byte(c.code)}, []byte(c.stderr))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a program writes, a range is one of the code.
func FuzzProblems(f *testing.F) {
	f.Add("a = 1\n\tb ä😀\n", "/tmp/run-7/main.c:2:5: error: x\n")
	f.Add("", "/tmp/run-7/main.c:9999:99999: error: x\n")
	table, err := New(nil)
	if err != nil {
		f.Fatal(err)
	}
	l, _, err := table.Find("c")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, code, stderr string) {
		lines := strings.Split(code, "\n")
		for _, p := range l.Problems(Ran{ID: "7", Code: []byte(code)}, []byte(stderr)) {
			if p.At.File != "" {
				continue
			}
			if p.At.Line < 0 || p.At.Line >= len(lines) || p.At.Start < 0 || p.At.End < p.At.Start || p.At.End > units(lines[p.At.Line]) {
				t.Errorf("%+v is not in the code %q", p.At, code)
			}
		}
	})
}

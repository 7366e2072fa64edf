package lang

import (
	"bytes"
	"testing"
)

func TestPrepareJava(t *testing.T) {
	const method = "public static void main(String[] args) throws Exception { "
	for _, test := range []struct {
		name              string
		fileName          string
		code, want        string
		wantFile, wantCls string
	}{
		{"public class", "Main.java", "public class Foo { static void main(String[] a) {} }", "", "Foo.java", "Foo"},
		{"main elsewhere", "Main.java", "public class A {}\nclass B { public static void main(String[] a) {} }", "", "A.java", "B"},
		{"no public class", "Main.java", "class A { }\nclass B { static void main(String... a){} }", "", "Main.java", "B"},
		{"package", "Main.java", "package a.b;\nclass C { static void main(String[] a){} }", "", "Main.java", "a.b.C"},
		{"statements", "My.java", "// a\nimport java.util.*;\nvar x = List.of(1);\n", "// a\nimport java.util.*;public class My { " + method + "\nvar x = List.of(1);\n\n}}\n", "My.java", "My"},
		{"statements and a record", "Main.java", "record P(int x) {}\nnew P(1);", "public class Main { " + method + "record P(int x) {}\nnew P(1);\n}}\n", "Main.java", "Main"},
		{"loop alone", "Main.java", "for (;;) { break; }", "public class Main { " + method + "for (;;) { break; }\n}}\n", "Main.java", "Main"},
		{"methods", "Main.java", "static void main(String[] a) {}", "public class Main { static void main(String[] a) {}\n}\n", "Main.java", "Main"},
		{"words in literals", "Main.java", `class A { String s = "} class B { void main("; char c = '{'; /* public class D {} */ }
class C { static void main(String[] a) {} }`, "", "Main.java", "C"},
		{"unusable name", "my lesson.java", "f();", "public class Main { " + method + "f();\n}}\n", "Main.java", "Main"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Source{FileName: test.fileName, Code: []byte(test.code)}
			prepareJava(s)
			if test.want == "" {
				test.want = test.code
			}
			if string(s.Code) != test.want || s.FileName != test.wantFile || s.Class != test.wantCls {
				t.Errorf("got %s, class %s:\n%s\nwant %s, class %s:\n%s", s.FileName, s.Class, s.Code, test.wantFile, test.wantCls, test.want)
			}
		})
	}
}

func TestBlankKeepsOffsets(t *testing.T) {
	for _, code := range []string{`x = "ä\" }"; // ö {` + "\ny", "\"\"\"\n{ \"\n\"\"\" z", "'\\''{", "\xff\"\xfe\""} {
		got := blank([]byte(code))
		if len(got) != len(code) || bytes.Count(got, []byte("\n")) != bytes.Count([]byte(code), []byte("\n")) {
			t.Errorf("blank(%q) = %q", code, got)
		}
	}
}

func TestMarkModule(t *testing.T) {
	for _, test := range []struct {
		file, code string
		want       bool
	}{
		{"a.js", "import fs from 'fs'", true},
		{"a.js", "  import 'fs'", true},
		{"a.js", "const x = await f()", true},
		{"a.js", "const fs = require('fs')", false},
		{"a.js", "const x = await import('y'); require('z')", false},
		{"a.js", "import('fs')", false},
		{"a.mjs", "import 'fs'", false},
	} {
		s := &Source{FileName: test.file, Code: []byte(test.code)}
		markModule(s)
		if got := len(s.Support) == 1; got != test.want {
			t.Errorf("%s %q: marked as module = %t", test.file, test.code, got)
		}
	}
}

func TestOpenPHP(t *testing.T) {
	for code, want := range map[string]string{
		"echo 1;":           "<?php echo 1;",
		"<?php echo 1;":     "<?php echo 1;",
		"<b><?= 1 ?></b>":   "<b><?= 1 ?></b>",
		"\nfunction f() {}": "<?php \nfunction f() {}",
	} {
		s := &Source{FileName: "main.php", Code: []byte(code)}
		openPHP(s)
		if string(s.Code) != want {
			t.Errorf("openPHP(%q) = %q", code, s.Code)
		}
	}
}

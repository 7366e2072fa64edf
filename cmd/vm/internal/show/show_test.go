package show_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
)

var columns = []show.Column{
	{Title: "NAME", Least: 6}, {Title: "ID", Right: true, Drop: 1}, {Title: "CODE", Least: 8},
}

func rows() [][]show.Cell {
	running := show.Cells("数据库", "7", "print('你好，世界')")
	running[0].Colour = show.Green
	return [][]show.Cell{
		show.Cells("a-rather-long-name", "12345", "import os\nprint(os)"),
		running,
		show.Cells("x", "", "a\x1b[2Jb\tc\u202e"),
	}
}

// sgr is a change of colour.
var sgr = regexp.MustCompile(`\x1b\[(\d+)m`)

func TestTable(t *testing.T) {
	tests := map[string]struct {
		width   int
		palette show.Palette
		want    string
	}{
		"as wide as it needs": {0, false, `
NAME                   ID  CODE
a-rather-long-name  12345  import os
数据库                  7  print('你好，世界')
x                          a·[2Jb c·
`},
		"the widest column is shortened first": {40, false, `
NAME                ID  CODE
a-rather-long-…  12345  import os
数据库               7  print('你好，世…
x                       a·[2Jb c·
`},
		"what matters least is left out": {20, false, `
NAME       CODE
a-rather…  import os
数据库     print('…
x          a·[2Jb c·
`},
		"never narrower than the columns allow": {3, false, `
NAME    CODE
a-rat…  import …
数据库  print('…
x       a·[2Jb …
`},
		"coloured": {20, true, `
<2>NAME<0>       <2>CODE<0>
a-rather…  import os
<32>数据库<0>     print('…
x          a·[2Jb c·
`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := show.Table(&out, test.width, test.palette, columns, rows()); err != nil {
				t.Fatal(err)
			}
			got := "\n" + sgr.ReplaceAllString(out.String(), "<$1>")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			for line := range strings.Lines(out.String()) {
				if test.width > 16 && !bool(test.palette) && show.Width(strings.TrimSuffix(line, "\n")) > test.width {
					t.Errorf("a line is %d wide, not %d: %q", show.Width(line), test.width, line)
				}
			}
		})
	}
}

func TestShort(t *testing.T) {
	tests := []struct {
		text  string
		width int
		want  string
	}{
		{"plain", 5, "plain"},
		{"plainer", 5, "plai…"},
		{"你好世界", 5, "你好…"},
		{"你好世界", 4, "你…"},
		{"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"},
		{"x", 0, ""},
		{"xy", 1, "…"},
	}
	for _, test := range tests {
		if got := show.Short(test.text, test.width); got != test.want {
			t.Errorf("Short(%q, %d) = %q, want %q", test.text, test.width, got, test.want)
		}
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		text  string
		width int
		want  []string
	}{
		{"one two three", 0, []string{"one two three"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 3, []string{"one", "two", "three"}},
		{"数据 库", 5, []string{"数据", "库"}},
		{"", 5, []string{""}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, show.Wrap(test.text, test.width)); diff != "" {
			t.Errorf("Wrap(%q, %d): %s", test.text, test.width, diff)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		before time.Duration
		want   string
	}{
		{-time.Hour, "just now"}, // a clock that is ahead
		{time.Second, "just now"},
		{59 * time.Second, "59 s ago"},
		{3*time.Minute + 50*time.Second, "3 min ago"},
		{23 * time.Hour, "23 h ago"},
		{24 * time.Hour, "1 day ago"},
		{29 * 24 * time.Hour, "29 days ago"},
		{40 * 24 * time.Hour, "20 Jan 2026"},
	}
	for _, test := range tests {
		if got := show.Ago(now, now.Add(-test.before)); got != test.want {
			t.Errorf("Ago of %v = %q, want %q", test.before, got, test.want)
		}
	}
	if got := show.Ago(now, time.Time{}); got != "never" {
		t.Errorf("Ago of no time = %q", got)
	}
}

func TestSpan(t *testing.T) {
	tests := map[time.Duration]string{
		0:                         "0 µs",
		250 * time.Microsecond:    "250 µs",
		12 * time.Millisecond:     "12 ms",
		1300 * time.Millisecond:   "1.3 s",
		9960 * time.Millisecond:   "10 s",
		9990 * time.Millisecond:   "10 s",
		59900 * time.Millisecond:  "1 min",
		time.Minute:               "1 min",
		125 * time.Second:         "2 min 5 s",
		3*time.Hour + time.Minute: "3 h 1 min",
	}
	for span, want := range tests {
		if got := show.Span(span); got != want {
			t.Errorf("Span(%v) = %q, want %q", span, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	tests := map[float64]string{
		0: "0", 0.5: "512 KiB", 12.34: "12.3 MiB", 512: "512 MiB", 1023.99: "1 GiB", 1024: "1 GiB", 1536: "1.5 GiB", 3 << 20: "3 TiB",
	}
	for mib, want := range tests {
		if got := show.Size(mib); got != want {
			t.Errorf("Size(%v) = %q, want %q", mib, got, want)
		}
	}
	if got := show.Bytes(1); got != "1 byte" {
		t.Errorf("Bytes(1) = %q", got)
	}
}

func TestFields(t *testing.T) {
	var out bytes.Buffer
	if err := show.Fields(&out, false, []show.Field{{"a", "1"}, {"longer", "2"}, {"absent", ""}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("  a       1\n  longer  2\n", out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestPrefixed(t *testing.T) {
	var out bytes.Buffer
	p := &show.Prefixed{W: &out, Prefix: "web │ "}
	for _, piece := range []string{"one\ntw", "o\n\nthr", "ee"} {
		if _, err := p.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	before := out.String()
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("web │ one\nweb │ two\nweb │ \n", before); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before+"web │ three\n", out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestDiff(t *testing.T) {
	const diff = "--- a\n+++ b\n@@ -1,2 +1 @@\n same\n-old\x1b[2J\n"
	for name, c := range map[string]struct {
		palette show.Palette
		most    int
		want    string
	}{
		"plain":    {false, 10, "--- a\n+++ b\n@@ -1,2 +1 @@\n same\n-old·[2J\n"},
		"coloured": {true, 10, "\x1b[1m--- a\x1b[0m\n\x1b[1m+++ b\x1b[0m\n\x1b[36m@@ -1,2 +1 @@\x1b[0m\n same\n\x1b[31m-old·[2J\x1b[0m\n"},
		"cut":      {false, 4, "--- a\n+++ b\n@@ -1,2 +1 @@\n same\n… 1 more line; --json has more\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := show.Diff(c.palette, diff, c.most); got != c.want {
				t.Errorf("Diff = %q, want %q", got, c.want)
			}
		})
	}
}

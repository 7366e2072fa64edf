package document

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// Edits at random places leave the same text as in a model that knows nothing but
// UTF-16 code units.
func TestChangeIsLikeTheModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"", "a", "ä", "😀", "\n", "\r\n", "long line\nand another", "\t", "世界"}
	for round := range 300 {
		var store Store
		text := "first\nsecond 😀 line\n\nlast"
		store.Open(New("u", "x", 1, text))
		for step := range 20 {
			d, _ := store.Get("u")
			from, to := place(random, d), place(random, d)
			if to.Line < from.Line || to.Line == from.Line && to.Character < from.Character {
				from, to = to, from
			}
			insert := pieces[random.IntN(len(pieces))]
			text = model(text, from, to, insert)
			r := Range{from, to}
			if err := store.Change("u", int32(step+2), []Change{{Range: &r, Text: insert}}); err != nil {
				t.Fatal(err)
			}
			if d, _ = store.Get("u"); d.Text() != text {
				t.Fatalf("round %d, step %d: %v replaced by %q gives %q, want %q", round, step, r, insert, d.Text(), text)
			}
		}
	}
}

// place is a random position, at the beginning of a character.
func place(random *rand.Rand, d Document) Position {
	n := random.IntN(d.Count())
	runes := []rune(d.Line(n))
	return Position{n, Units(string(runes[:random.IntN(len(runes)+1)]))}
}

func model(text string, from, to Position, insert string) string {
	units := utf16.Encode([]rune(text))
	at := func(p Position) int {
		i := 0
		for line := p.Line; line > 0; i++ {
			if units[i] == '\n' {
				line--
			}
		}
		return i + p.Character
	}
	begin, end := at(from), at(to)
	return string(utf16.Decode(units[:begin])) + insert + string(utf16.Decode(units[end:]))
}

func TestChangeOfEverything(t *testing.T) {
	var store Store
	store.Open(New("u", "x", 1, "old"))
	if err := store.Change("u", 2, []Change{{Text: "new\ntext"}}); err != nil {
		t.Fatal(err)
	}
	if d, _ := store.Get("u"); d.Text() != "new\ntext" || d.Version != 2 {
		t.Errorf("got %q, version %d", d.Text(), d.Version)
	}
	if err := store.Change("other", 1, nil); err == nil {
		t.Error("a document that is not open could be changed")
	}
	store.Close("u")
	if _, ok := store.Get("u"); ok {
		t.Error("it is still open")
	}
}

func TestSliceKeepsToTheText(t *testing.T) {
	d := New("u", "x", 1, "ab\ncd")
	for _, c := range []struct {
		r    Range
		want string
	}{
		{Range{Position{0, 1}, Position{1, 1}}, "b\nc"},
		{Range{Position{-4, 0}, Position{99, 99}}, "ab\ncd"},
		{Range{Position{0, 99}, Position{1, 0}}, "\n"},
		{Range{Position{1, 1}, Position{0, 1}}, ""},
		{Range{Position{0, 2}, Position{0, 1}}, ""},
	} {
		if got := d.Slice(c.r); got != c.want {
			t.Errorf("%v: %q, want %q", c.r, got, c.want)
		}
	}
}

func TestSelect(t *testing.T) {
	const marks = "«»"
	tests := map[string]struct{ text, want string }{
		"whole lines":                       {"a = 1\n«b = 2\nc = 3\n»d = 4\n", "b = 2\nc = 3"},
		"from the middle of a line":         {"if x:\n    fo«o()\n    ba»r()\n", "foo()\nbar()"},
		"within a line":                     {"x = «1 + 2» * 3\n", "1 + 2"},
		"nothing but a place":               {"a = 1\n  b«» = 2\n", "b = 2"},
		"blank lines around":                {"«\n\na = 1\n\n»b = 2\n", "a = 1"},
		"an indentation that all share":     {"if x:\n«    a()\n\n    if y:\n        b()\n»", "a()\n\nif y:\n    b()"},
		"from behind the indentation":       {"if x:\n    «a()\n    b()»\n", "a()\nb()"},
		"brackets that are closed below":    {"«f(1,»\n  2)\ng()\n", "f(1,\n  2)"},
		"brackets in strings and comments":  {"«f('(')  # (»\ng()\n", "f('(')  # ("},
		"a body below":                      {"«for i in x:»\n    print(i)\n\n    print()\nend()\n", "for i in x:\n    print(i)\n\n    print()"},
		"a decorator has its function":      {"«@cached»\ndef f():\n    return 1\nf()\n", "@cached\ndef f():\n    return 1"},
		"what is open beyond the last line": {"«f(»", "f("},
		"a label in C is no body":           {"«int a[2] = {»\n 1, 2};\n", "int a[2] = {\n 1, 2};"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			before, rest, _ := strings.Cut(c.text, "«")
			inside, after, _ := strings.Cut(rest, "»")
			d := New("u", "python", 1, before+inside+after)
			got := d.Select(Range{end(before), end(before + inside)})
			if got.Code != c.want {
				t.Errorf("got %q, want %q", got.Code, c.want)
			}
			if strings.ContainsAny(got.Code, marks) {
				t.Error("the test's own marks are in the code")
			}
		})
	}
}

// end is the position behind a text.
func end(text string) Position {
	line := strings.Count(text, "\n")
	return Position{line, Units(text[strings.LastIndex(text, "\n")+1:])}
}

func TestSelectTellsWhereItIsFrom(t *testing.T) {
	d := New("u", "python", 1, "def f():\n\tif x:\n\t\treturn (1,\n\t\t        2)\n")
	got := d.Select(Range{Position{2, 4}, Position{2, 12}})
	if got.Code != "return (1" && got.Range.Start.Line != 2 {
		t.Errorf("got %+v", got)
	}
	got = d.Select(Range{Position{2, 0}, Position{2, 12}})
	want := Selection{Code: "return (1,\n        2)", Range: Range{Position{2, 0}, Position{3, 12}}, Indent: 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

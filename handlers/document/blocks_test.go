package document

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBlocks(t *testing.T) {
	tests := map[string]struct {
		language, text string
		want           []string
	}{
		"nothing to run": {"python", "\n  \n", nil},
		"a script":       {"shellscript", "echo a\n", []string{"script at 0: echo a|"}},
		"an entry guard": {"python", "def f(): pass\n\nif __name__ == '__main__':\n    f()\n", []string{
			"script at 0: def f(): pass||if __name__ == '__main__':|    f()|",
			"main at 2: def f(): pass||if __name__ == '__main__':|    f()|",
		}},
		"a main function": {"go", "package main\nfunc main() {}\n", []string{
			"script at 0: package main|func main() {}|", "main at 1: package main|func main() {}|",
		}},
		"cells": {"python", "import os\n# %% first\na = 1\n\n#%%\n# %% [markdown]\n# words\n# %%\nb = 2", []string{
			"script at 0: import os|# %% first|a = 1||#%%|# %% [markdown]|# words|# %%|b = 2",
			"cell at 1: a = 1|| (first)",
			"cell at 7: b = 2",
		}},
		"cells of other languages": {"sql", "-- %%\nselect 1;\n", []string{"script at 0: -- %%|select 1;|", "cell at 0: select 1;|"}},
		"Markdown": {"markdown", "# Title\n```python\nprint(1)\n```\n\n~~~~ js {.x}\n~~~\nlet a\n~~~~\n```\nplain\n```\n   ```{.bash}\n   ls\n   ```\n```go\nnever closed", []string{
			"fence at 1 of python: print(1)|",
			"fence at 5 of js: ~~~|let a|",
			"fence at 12 of bash:    ls|",
			"fence at 15 of go: never closed",
		}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			d := New("u", c.language, 1, c.text)
			var got []string
			for _, b := range d.Blocks() {
				s := fmt.Sprintf("%s at %d", [...]string{"script", "main", "cell", "fence"}[b.Kind], b.Line)
				if b.Language != "" {
					s += " of " + b.Language
				}
				s += ": " + strings.ReplaceAll(d.Slice(b.Code), "\n", "|")
				if b.Title != "" {
					s += " (" + b.Title + ")"
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCellAt(t *testing.T) {
	d := New("u", "python", 1, "x\n# %%\na\n# %%\nb")
	for line, want := range map[int]int{0: -1, 1: 1, 2: 1, 3: 3, 4: 3} {
		got := -1
		if b, ok := d.CellAt(line); ok {
			got = b.Line
		}
		if got != want {
			t.Errorf("line %d is in the cell of line %d, want %d", line, got, want)
		}
	}
}

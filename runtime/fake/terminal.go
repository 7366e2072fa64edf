package fake

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"

	"github.com/itechsmart/vm/runtime/agent"
)

// interactive is sh on a terminal: it answers every line with that line, "size" with
// the terminal's size, and ends with "exit N".
func interactive(p *process, _ []string) int {
	fmt.Fprint(p.out(), "$ ")
	for in := bufio.NewScanner(p.stdin); in.Scan(); {
		line := strings.TrimRight(in.Text(), "\r")
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "exit":
			code, _ := strconv.Atoi(rest)
			return code
		case "size":
			w := p.window()
			line = fmt.Sprintf("%d rows, %d columns", w.Rows, w.Cols)
		}
		fmt.Fprintf(p.out(), "%s\r\n$ ", line)
	}
	return 0
}

// Resize sets the size of a family's terminal.
func (f *family) Resize(window agent.Window) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spec.Terminal = &window
	return nil
}

func (f *family) window() agent.Window {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.spec.Terminal == nil {
		return agent.Window{}
	}
	return *f.spec.Terminal
}

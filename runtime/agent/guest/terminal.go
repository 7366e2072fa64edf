package guest

import "github.com/itechsmart/vm/runtime/agent"

// scrollback is how much of a terminal's output is kept for those who attach
// later.
const scrollback = 256 << 10

// terminalProcess is a Process that was started with a terminal.
type terminalProcess interface {
	// Resize sets the terminal's size.
	Resize(agent.Window) error
}

// checkTerminal refuses what a terminal cannot have.
func checkTerminal(spec *agent.Run) error {
	switch {
	case spec.Terminal == nil:
		return nil
	case spec.Terminal.Rows == 0 || spec.Terminal.Cols == 0:
		return invalid("a terminal has at least one row and one column")
	case len(spec.Build) > 0 || len(spec.Stdin) > 0 || !spec.OpenStdin || spec.Detach || len(spec.Errand) > 0:
		return invalid("a run with a terminal has open standard input and nothing else")
	}
	return nil
}

// resize changes the size of the run's terminal.
func (r *run) resize(window agent.Window) error {
	if r.spec.Terminal == nil {
		return invalid("the run has no terminal")
	}
	if window.Rows == 0 || window.Cols == 0 {
		return invalid("a terminal has at least one row and one column")
	}
	r.mu.Lock()
	proc, over := r.proc, r.over
	r.mu.Unlock()
	if terminal, ok := proc.(terminalProcess); ok && !over {
		return terminal.Resize(window)
	}
	return nil
}

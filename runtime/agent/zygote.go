package agent

// Zygote tells how an interpreter is started that waits, so that runs are forked
// from it instead of started. Such a run is as one that was started, but sooner.
type Zygote struct {
	// Options is how many of Run.Command's arguments are the interpreter and its
	// options. The next one is the absolute path of the code's file.
	Options int `json:"options"`
	// Boot are the arguments that follow the options in the interpreter that
	// waits: they have it execute Code, which it reads from descriptor 4.
	Boot []string `json:"boot"`
	// Env adds to the environment that it is started with, as KEY=VALUE.
	Env  []string `json:"env,omitempty"`
	Code []byte   `json:"code"`
	// Unless are variables, as KEY=VALUE or the beginning of that and *, which act
	// when an interpreter starts: a run that has one is started, not forked.
	// Those that Although has do not count.
	Unless   []string `json:"unless,omitempty"`
	Although []string `json:"although,omitempty"`
}

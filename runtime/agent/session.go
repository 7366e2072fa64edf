package agent

import "time"

// Session says in which kept interpreter a run's code is executed. Runs in one
// session come one after the other, in the order in which they were started.
type Session struct {
	// Name of the session within its VM.
	Name string `json:"name"`
	// Language that the interpreter takes. A run of another one is refused.
	Language string `json:"language"`
	// File is the code's path.
	File string `json:"file"`
	// Args are the program's arguments.
	Args []string `json:"args,omitempty"`
	// Scratch is a folder of the interpreter's own, as Run.Scratch is the run's,
	// and Files, of absolute paths, are placed before it starts.
	Scratch string `json:"scratch"`
	Files   []File `json:"files,omitempty"`
}

// Answer is what the result of a run in a session has beside its output.
type Answer struct {
	// Value of the code's last expression, as the language shows it; empty for
	// none.
	Value string `json:"value,omitempty"`
	// Note tells a person that the interpreter has ended, or had ended before
	// and was started anew, and why.
	Note string `json:"note,omitempty"`
	// Artifacts are what the code shows beside text.
	Artifacts []Artifact `json:"artifacts,omitempty"`
}

// Artifact is a plot, a table or another thing to be shown.
type Artifact struct {
	MIME string `json:"mime"`
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// SessionState is an entry in the list of a VM's sessions.
type SessionState struct {
	Name       string    `json:"name"`
	Language   string    `json:"language"`
	StartedAt  time.Time `json:"startedAt"`
	LastUsedAt time.Time `json:"lastUsedAt"`
	Alive      bool      `json:"alive"` // false: the next run starts the interpreter anew
}

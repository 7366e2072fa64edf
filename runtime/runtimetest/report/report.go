// Package report holds what the probe tells about the inside of a machine, as
// JSON on its standard output.
package report

// Surroundings are what a program finds when it starts.
type Surroundings struct {
	Args []string `json:"args"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	UID  int      `json:"uid"`
	GID  int      `json:"gid"`
}

// CPU is what a busy program got.
type CPU struct {
	Wall float64 `json:"wall"` // seconds
	Used float64 `json:"used"` // seconds of processor time
}

// Network is how far a program reaches. Errors are empty when it worked.
type Network struct {
	Interfaces []string          `json:"interfaces"` // but loopback
	Routes     int               `json:"routes"`     // IPv4 and IPv6, but loopback's
	Lookup     string            `json:"lookup"`     // error of a name lookup
	Dial       map[string]string `json:"dial"`       // error by address
}

// Reached is what came of a connection.
type Reached struct {
	Said  string `json:"said"` // by the other end
	Error string `json:"error"`
}

// Fetched is what came of a request through the proxy of the environment.
type Fetched struct {
	Status string `json:"status"` // the answer's first line, but the protocol; empty without an answer
	Body   string `json:"body"`
	Error  string `json:"error"`
}

// Privileges of a program, and how its attempts to use some ended.
type Privileges struct {
	UID          int    `json:"uid"`
	Capabilities string `json:"capabilities"` // effective, permitted, inheritable, ambient: the bits of all, in hexadecimal
	Bounding     string `json:"bounding"`
	NoNewPrivs   bool   `json:"noNewPrivs"`
	Seccomp      int    `json:"seccomp"` // mode of proc(5): 2 = filter
	// Worked lists what should not have: mount, unshare, ptrace, setuid, chroot …
	Worked []string `json:"worked"`
}

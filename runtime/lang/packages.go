package lang

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// Manager is a package manager: how packages come into a VM. It is data, see
// managers.go.
//
// Script is run by a shell that ends at the first command that fails, with the
// packages as its arguments and nothing else of the caller's. It installs for
// good, where executions and sessions of its languages find the packages without
// being told, or, where the VM lacks the manager, prints noManager and exits
// with 127. An index that is configured is in VM_INDEX_NAME; VM_PROGRAM is the
// interpreter, where a version of the host's was asked for.
type Manager struct {
	Name    string // of the row; what Language.Manager holds
	Form    string // how a package is written, for people
	Chars   string // beside ASCII letters and digits, what may be in that
	Pattern string // all of it
	Script  Support
	Files   []Support // that the script finds beside itself
	Indexes []string  // names of indexes that can be configured
	// NeedsIndex: without a configured one it knows none. Others then take what the
	// manager, or the VM's own configuration, says.
	NeedsIndex bool
	Root       bool   // installs as the VM's root
	Source     string // where the manager itself is to be had, for the hint when it is missing
}

// System is what stands for a language where the packages are those of the
// VM's own distribution.
const System = "system"

// maxPackage is how long the name of a package may be, with its version. npm
// allows 214 characters for the name alone, which is the most of all.
const maxPackage = 300

// ManagerFor returns the package manager of a language; see System. It fails
// when the language has none.
func (t *Table) ManagerFor(l Language) (Manager, error) {
	if m, found := managerNamed(l.Manager); found {
		return m, nil
	}
	var names []string
	for _, other := range t.languages {
		if other.Manager != "" {
			names = append(names, other.ID)
		}
	}
	return Manager{}, runtime.WithHint(fmt.Errorf("no package manager is known for %s", l.Name),
		"there is one for "+strings.Join(names, ", ")+"; the packages of the VM's own distribution are those of "+System)
}

// SystemManager is the one for System.
func SystemManager() Manager {
	m, _ := managerNamed(System)
	return m
}

func managerNamed(name string) (Manager, bool) {
	all := managers()
	at := slices.IndexFunc(all, func(m Manager) bool { return m.Name == name })
	if name == "" || at < 0 {
		return Manager{}, false
	}
	return all[at], true
}

func managerNames() string {
	var names []string
	for _, m := range managers() {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// Check says what is wrong with a package's name and version, so that it cannot
// be taken for anything else by a tool on the way. Nil = nothing is.
func (m Manager) Check(pkg string) error {
	allowed := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(m.Chars, r)
	}
	switch {
	case pkg == "":
		return errors.New("a package without a name")
	case len(pkg) > maxPackage:
		return fmt.Errorf("%.40q… has %d characters; at most %d are allowed", pkg, len(pkg), maxPackage)
	case pkg[0] == '-':
		return fmt.Errorf("%q begins with %q, as options do", pkg, '-')
	}
	for _, r := range pkg {
		if !allowed(r) {
			return fmt.Errorf("%q contains %q, which no package of %s has", pkg, r, m.Name)
		}
	}
	if !regexp.MustCompile("^(?:" + m.Pattern + ")$").MatchString(pkg) {
		return fmt.Errorf("%q is no package of %s: write %s", pkg, m.Name, m.Form)
	}
	return nil
}

// Indexes say where package managers get packages, by the name of the index:
// those of Manager.Indexes.
type Indexes map[string]string

// Check says what is wrong with the indexes, name first.
func (x Indexes) Check() error {
	var known []string
	for _, m := range managers() {
		known = append(known, m.Indexes...)
	}
	for _, name := range slices.Sorted(maps.Keys(x)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%.40q: there is no such index; there are %s", name, strings.Join(known, ", "))
		}
		if err := checkIndex(name, x[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// aptSource is a line of sources.list(5) without its type.
var aptSource = pattern(`^(\[[a-z0-9=, -]+\] )?(\S+)( \S+)+$`)

func checkIndex(name, value string) error {
	if name == "apt" {
		parts := aptSource().FindStringSubmatch(value)
		if parts == nil {
			return errors.New(`must be a line of sources.list without its type, such as "https://mirror.example/debian bookworm main"`)
		}
		value = parts[2]
	}
	return CheckURL(value)
}

// CheckURL says what is wrong with an address that is handed to tools.
func CheckURL(value string) error {
	u, err := url.Parse(value)
	if err != nil || !slices.Contains([]string{"http", "https", "file"}, u.Scheme) || u.Scheme != "file" && u.Hostname() == "" {
		return errors.New("must be an address such as https://index.example/path")
	}
	if strings.ContainsAny(value, " \t\r\n\"'`$\\<>{}|;") {
		return errors.New("must be an address without spaces, quotes and the like")
	}
	return nil
}

// Addresses are what a manager has to reach: the configured indexes. None = only
// the manager knows.
func (m Manager) Addresses(x Indexes) []*url.URL {
	var list []*url.URL
	for _, name := range m.Indexes {
		value := x[name]
		if parts := aptSource().FindStringSubmatch(value); name == "apt" && parts != nil {
			value = parts[2]
		}
		if u, err := url.Parse(value); err == nil && value != "" {
			list = append(list, u)
		}
	}
	return list
}

// InstallOptions are the circumstances of one installation.
type InstallOptions struct {
	ID      string // Run.ID
	Version string // of the language, as asked for; "" = any
	Host    bool   // the VM has the host's toolchains
	Indexes Indexes
}

// PlanInstall returns the run that brings packages into a VM, which Check has
// passed. l is the zero Language for the system's packages.
func (l Language) PlanInstall(m Manager, packages []string, o InstallOptions) agent.Run {
	scratch := scratchOf(PlanOptions{ID: o.ID})
	script := path.Join(scratch, installScript)
	run := agent.Run{
		ID: o.ID, Scratch: scratch,
		Command: append([]string{"sh", "-e", script}, packages...),
		Env:     slices.Clone(l.Env),
		Files:   []agent.File{{Path: script, Data: m.Script.Data}},
	}
	for _, f := range m.Files {
		run.Files = append(run.Files, agent.File{Path: path.Join(scratch, f.Name), Data: f.Data})
	}
	for _, name := range m.Indexes {
		if value := o.Indexes[name]; value != "" {
			run.Env = append(run.Env, "VM_INDEX_"+strings.ToUpper(name)+"="+value)
		}
	}
	if o.Host && o.Version != "" && l.Versioned != "" {
		run.Env = append(run.Env, "VM_PROGRAM="+l.programs("", o.Version)[0])
	}
	if m.Root {
		run.User = "root"
	}
	return run
}

// installScript is what every manager's script is called inside a VM.
const installScript = "vm-install.sh"

// noManager begins the line with which a script says that its manager is not in
// the VM; the manager's name follows.
const noManager = "vm: no package manager: "

// MissingManager tells whether an installation failed because the VM lacks the
// package manager, as Language.Missing does.
func MissingManager(r agent.Result) error {
	_, after, found := strings.Cut(string(r.Stderr.Head), noManager)
	if r.ExitCode != 127 || !found {
		return nil
	}
	name, _, _ := strings.Cut(after, "\n")
	m, known := managerNamed(name)
	if !known {
		return nil
	}
	return runtime.WithHint(fmt.Errorf("%w: the package manager %s is not in this VM", runtime.ErrUnavailable, name), m.Source)
}

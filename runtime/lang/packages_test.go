package lang

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

func TestPackageNames(t *testing.T) {
	good := map[string][]string{
		"pip":   {"requests", "Flask==3.0.1", "uvicorn[standard,x]>=0.20,<1", "zope.interface", "a~=1.0", "a==1.0+local", "a==1.*"},
		"npm":   {"left-pad", "@types/node@20.1.0", "react@^18.2.0", "x@latest", "JSONStream"},
		"go":    {"golang.org/x/text", "example.com/a/v2@v2.0.1", "gopkg.in/yaml.v3@latest", "example.com/~u/x"},
		"cargo": {"serde", "serde_json@1.0", "rand@^0.8", "a@=1.2.3"},
		"gem":   {"rails", "nokogiri:1.16.0", "rspec-core"},
		"cran":  {"ggplot2", "data.table", "R6"},
		"maven": {"com.google.code.gson:gson:2.11.0", "org.junit.jupiter:junit-jupiter:5.10.0-M1"},
		System:  {"curl", "g++", "libstdc++6", "python3.11=3.11.2-6+deb12u1", "musl-dev=1.2.4-r2", "a=1:2.3~rc1"},
	}
	bad := map[string]map[string]string{
		"pip": {
			"": "without a name", "-r": `begins with '-'`, "--target=/": `begins with '-'`, "a b": `contains ' '`, "a;b": `contains ';'`,
			"git+https://x": `contains ':'`, "../x": `contains '/'`, "a@x": `contains '@'`, "a\n": `contains '\n'`, "$(id)": `contains '$'`,
			"größe": `contains 'ö'`, "a==": "write NAME", ".a": "write NAME", "a[]": "write NAME", "==1": "write NAME", "a\x00": `contains '\x00'`,
		},
		"npm": {
			"user/repo": "write NAME", "a@npm:b": `contains ':'`, "../a": "write NAME", "@a": "write NAME", "@a/../b": "write NAME",
			".": "write NAME", "a@": "write NAME", "a`id`": "contains '`'",
		},
		"go": {
			"all": "write example.com", "std": "write example.com", "./x": "write example.com", "example.com/../x": "write example.com",
			"example.com/x@": "write example.com", "example.com/-x": "write example.com", "example.com/x ...": `contains ' '`,
		},
		"cargo": {"../a": `contains '/'`, "1a": "write NAME", "a@": "write NAME", "a@x": "write NAME"},
		"gem":   {"a:": "write NAME", "a:x": "write NAME", "a/b": `contains '/'`, "a b": `contains ' '`},
		"cran":  {"a_b": `contains '_'`, "a": "write NAME", "a.": "write NAME", `a"b`: `contains '"'`},
		"maven": {"a:b": "write GROUP", "a:b:..": "write GROUP", "a..b:c:1": "write GROUP", "a:b:1:jar:x": "write GROUP", "a/b:c:1": `contains '/'`},
		System:  {"curl-": "write NAME", "-y": `begins with '-'`, "a/b": `contains '/'`, "a*": `contains '*'`, "a=": "write NAME"},
	}
	for _, m := range managers() {
		if len(good[m.Name]) == 0 || len(bad[m.Name]) == 0 {
			t.Errorf("%s: no names are tried", m.Name)
		}
		for _, name := range good[m.Name] {
			if err := m.Check(name); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
		}
		for name, want := range bad[m.Name] {
			if err := m.Check(name); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q: %v, want %q", m.Name, name, err, want)
			}
		}
		if err := m.Check(strings.Repeat("a", maxPackage+1)); err == nil {
			t.Errorf("%s: a name without end is taken", m.Name)
		}
	}
}

// TestManagers holds the rows to what is made of them.
func TestManagers(t *testing.T) {
	for _, m := range managers() {
		if m.Form == "" || m.Source == "" || len(m.Indexes) == 0 || !strings.Contains(string(m.Script.Data), noManager+m.Name) {
			t.Errorf("%s lacks something: %+v", m.Name, m)
		}
		for _, name := range m.Indexes {
			if !strings.Contains(string(m.Script.Data)+filesOf(m), "VM_INDEX_"+strings.ToUpper(name)) {
				t.Errorf("%s takes no notice of its index %s", m.Name, name)
			}
		}
	}
	for _, l := range builtin(t).Languages() {
		m, err := builtin(t).ManagerFor(l)
		if (err == nil) != (l.Manager != "") || m.Name != l.Manager || err != nil && runtime.Hint(err) == "" {
			t.Errorf("%s: %q, %v", l.ID, m.Name, err)
		}
	}
}

func filesOf(m Manager) string {
	var all strings.Builder
	for _, f := range m.Files {
		all.Write(f.Data)
	}
	return all.String()
}

func TestPlanInstall(t *testing.T) {
	python := find(t, "python")
	m, err := builtin(t).ManagerFor(python)
	if err != nil {
		t.Fatal(err)
	}
	got := python.PlanInstall(m, []string{"a", "b==1"}, InstallOptions{
		ID: "7", Version: "3.12", Host: true, Indexes: Indexes{"pip": "https://index.example/simple", "npm": "https://npm.example"},
	})
	want := agent.Run{
		ID: "7", Scratch: "/tmp/run-7",
		Command: []string{"sh", "-e", "/tmp/run-7/vm-install.sh", "a", "b==1"},
		Env:     []string{"PYTHONPATH=.", "VM_INDEX_PIP=https://index.example/simple", "VM_PROGRAM=python3.12"},
		Files:   []agent.File{{Path: "/tmp/run-7/vm-install.sh", Data: m.Script.Data}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if system := (Language{}).PlanInstall(SystemManager(), []string{"curl"}, InstallOptions{ID: "7"}); system.User != "root" {
		t.Errorf("the system's packages are installed by %q", system.User)
	}
}

func TestIndexes(t *testing.T) {
	good := Indexes{
		"pip": "https://user:pass@index.example/simple", "npm": "http://127.0.0.1:4873", "go": "file:///srv/modules",
		"apt": "[trusted=yes arch=amd64] http://mirror.example/debian bookworm main",
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, value := range map[string]string{
		"piip": "https://index.example", "pip": "index.example", "npm": "https://x/$(id)", "gem": "ftp://x", "cran": "https://x y",
		"cargo": `https://x"`, "maven": "", "apt": "http://mirror.example", "go": "https://",
	} {
		if err := (Indexes{name: value}).Check(); err == nil || !strings.HasPrefix(err.Error(), name) && !strings.Contains(err.Error(), "no such index") {
			t.Errorf("%s=%q: %v", name, value, err)
		}
	}
	var hosts []string
	for _, u := range SystemManager().Addresses(good) {
		hosts = append(hosts, u.Host)
	}
	m, _ := managerNamed("pip")
	for _, u := range m.Addresses(nil) {
		hosts = append(hosts, u.Host)
	}
	if want := []string{"mirror.example"}; !slices.Equal(hosts, want) {
		t.Errorf("%q are reached, want %q", hosts, want)
	}
}

func TestMissingManager(t *testing.T) {
	lacking := agent.Result{ExitCode: 127, Stderr: agent.Record{Head: []byte("vm: no package manager: gem\n")}}
	if err := MissingManager(lacking); !errors.Is(err, runtime.ErrUnavailable) || !strings.Contains(err.Error(), "gem is not in this VM") || !strings.Contains(runtime.Hint(err), "ruby:") {
		t.Errorf("%v; %s", err, runtime.Hint(err))
	}
	for _, text := range []string{"", "vm: no package manager: mine\n", "sh: gem: not found"} {
		if err := MissingManager(agent.Result{ExitCode: 127, Stderr: agent.Record{Head: []byte(text)}}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestManagerOfOverride(t *testing.T) {
	if _, err := New(map[string]Override{"python": {Manager: "brew"}}); err == nil || !strings.Contains(err.Error(), "languages.python.manager: ") {
		t.Errorf("an unknown manager: %v", err)
	}
	table, err := New(map[string]Override{"mypy": {FileName: "main.mypy", Run: []string{"mypy", "{file}"}, Manager: "pip"}})
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := table.Find("mypy")
	if m, known := table.ManagerFor(l); err != nil || known != nil || m.Name != "pip" {
		t.Errorf("%q, %v, %v", m.Name, err, known)
	}
}

package langtest

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/egress"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/lang/langtest/index"
)

// usage is how a package of the index is used in a language.
type usage struct {
	language string // or lang.System
	code     string // prints what the package says
	before   string // in a session that is there before the package; "" = that is not tried
}

// usages by manager. The package is called greeting everywhere, and says
// index.Greeting.
var usages = map[string][]usage{
	"pip": {{"python", "import greeting\nprint(greeting.TEXT)", "x = 1"}},
	"npm": {
		{"javascript", "console.log(require('greeting').TEXT)", "const x = 1"},
		{"javascript", "import greeting from 'greeting'\nconsole.log(greeting.TEXT)", ""},
		{"typescript", "import { TEXT } from 'greeting'\nconsole.log(TEXT)", ""},
	},
	"go":     {{"go", "package main\n\nimport (\n\t\"fmt\"\n\t\"greeting.example/greeting\"\n)\n\nfunc main() { fmt.Println(greeting.Text) }\n", ""}},
	"cargo":  {{"rust", "fn main() { println!(\"{}\", greeting::TEXT) }", ""}},
	"gem":    {{"ruby", "require 'greeting'\nputs Greeting::TEXT", "x = 1"}},
	"cran":   {{"r", "library(greeting)\ncat(text_of(), \"\\n\", sep = \"\")", "x <- 1"}},
	"maven":  {{"java", "System.out.println(example.greeting.Greeting.text());", "int x = 1;"}},
	"system": {{"bash", "greeting", ""}},
}

// Packages makes a machine of spec that reaches nothing but an index served here,
// and has every package manager bring a package into it, which programs and
// sessions then use. The managers in must have to be there; others are skipped
// when the machine lacks them.
func Packages(t *testing.T, driver runtime.Driver, spec runtime.Spec, must ...string) {
	t.Helper()
	server := index.New(t)
	spec.Network = runtime.Network{Mode: runtime.NetworkAllowlist, Allow: server.Allow()}
	client := machine(t, driver, spec)
	policy, err := egress.Parse(spec.Network.Allow)
	if err != nil {
		t.Fatal(err)
	}
	way := egress.Dialer{Policy: policy, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}}
	err = client.OfferDial(func(ctx context.Context, host string, port int) (net.Conn, error) {
		conn, err := way.Dial(ctx, host, port)
		if err != nil {
			t.Logf("%s:%d: %v", host, port, err)
			return nil, &agent.DialError{Reason: err.Error()}
		}
		return conn, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	i := installer{client: client, indexes: server.Indexes(), host: spec.Image == ""}
	if i.table, err = lang.New(nil); err != nil {
		t.Fatal(err)
	}
	for _, manager := range []string{"pip", "npm", "go", "cargo", "gem", "cran", "maven", lang.System} {
		if manager == lang.System && i.host {
			continue // the host's own programs are not the machine's to change
		}
		t.Run(manager, func(t *testing.T) { i.try(t, manager, slices.Contains(must, manager)) })
	}
}

// installer brings packages into a machine.
type installer struct {
	client  *agent.Client
	table   *lang.Table
	indexes lang.Indexes
	host    bool
}

func (i *installer) try(t *testing.T, manager string, must bool) {
	language, m := i.manager(t, usages[manager][0].language)
	for _, u := range usages[manager] {
		i.session(t, u, u.before, "")
	}
	absent := language.PlanInstall(m, []string{index.Absent[manager]}, i.options(manager+"-absent"))
	absent.Timeout = timeout
	result := execute(t, i.client, absent)
	if missing := lang.MissingManager(result); missing != nil {
		if must {
			t.Fatalf("%v; %s", missing, runtime.Hint(missing))
		}
		t.Skipf("%v; %s", missing, runtime.Hint(missing))
	}
	if result.Verdict != agent.Exited || result.ExitCode == 0 {
		t.Errorf("a package that is not there: %s with code %d\n%s%s", result.Verdict, result.ExitCode, result.Stdout.Head, result.Stderr.Head)
	}
	for _, again := range []string{"", "-again"} {
		run := language.PlanInstall(m, []string{index.Present[manager]}, i.options(manager+again))
		run.Timeout = timeout
		if result := execute(t, i.client, run); result.Verdict != agent.Exited || result.ExitCode != 0 {
			t.Fatalf("installing%s: %s with code %d\n%s%s", again, result.Verdict, result.ExitCode, result.Stdout.Head, result.Stderr.Head)
		}
	}
	for n, u := range usages[manager] {
		l, _, err := i.table.Find(u.language)
		if err != nil {
			t.Fatal(err)
		}
		run := l.Plan([]byte(u.code), nil, lang.PlanOptions{ID: "use-" + manager + string(rune('a'+n)), Host: i.host})
		run.Timeout = timeout
		expectGreeting(t, u, execute(t, i.client, run))
		i.session(t, u, u.code, index.Greeting)
	}
}

func (i *installer) options(id string) lang.InstallOptions {
	return lang.InstallOptions{ID: "install-" + id, Host: i.host, Indexes: i.indexes}
}

// manager is a language's.
func (i *installer) manager(t *testing.T, language string) (lang.Language, lang.Manager) {
	t.Helper()
	l, _, err := i.table.Find(language)
	if err != nil {
		t.Fatal(err)
	}
	if l.Manager == "" {
		return lang.Language{}, lang.SystemManager()
	}
	m, err := i.table.ManagerFor(l)
	if err != nil {
		t.Fatal(err)
	}
	return l, m
}

// session executes code in the session that was there before the package.
func (i *installer) session(t *testing.T, u usage, code, want string) {
	t.Helper()
	if u.before == "" {
		return
	}
	l, _, err := i.table.Find(u.language)
	if err != nil {
		t.Fatal(err)
	}
	id := "kept-" + l.ID
	if want != "" {
		id += "-use"
	}
	run := l.Plan([]byte(code), nil, lang.PlanOptions{ID: id, Host: i.host, Session: "packages-" + l.ID})
	run.Timeout = timeout
	result := execute(t, i.client, run)
	if want != "" {
		expectGreeting(t, u, result)
	}
}

func expectGreeting(t *testing.T, u usage, r agent.Result) {
	t.Helper()
	if r.ExitCode != 0 || strings.TrimSpace(string(r.Stdout.Head)) != index.Greeting {
		t.Errorf("%s:\n%s\nexit code %d, prints %q\n%s", u.language, u.code, r.ExitCode, r.Stdout.Head, r.Stderr.Head)
	}
}

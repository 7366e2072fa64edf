package pool

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/egress"
	"github.com/itechsmart/vm/runtime/lang"
)

// maxPackages is how many packages are installed at once.
const maxPackages = 100

// PackageSources say where packages come from.
type PackageSources struct {
	Indexes lang.Indexes // empty = each manager's own
	// Proxy is the address of an HTTP proxy by which VMs with an open network
	// reach indexes; those with an allowlist go out through this process.
	Proxy string
}

// InstallRequest names packages to be brought into a VM.
type InstallRequest struct {
	Packages []string // as their manager has them, with versions
	Language string   // whose packages; lang.System = the VM's distribution's; "" = the VM's language
}

// installation is a checked InstallRequest.
type installation struct {
	manager  lang.Manager
	language lang.Language // zero for lang.System
	version  string
	packages []string
}

// InstallPackages brings packages into a VM, and into that alone, for programs
// and sessions that come after: they are files of the VM as others are. What the
// manager prints, and how it ends, is an execution's. It fails before anything is
// run when a package is no name of one, or the index is out of the VM's reach.
func (t *Tenant) InstallPackages(ctx context.Context, vm db.VirtualMachine, r InstallRequest, o Observer) (db.Execution, error) {
	in, err := t.installation(vm, r)
	if err != nil {
		return db.Execution{}, err
	}
	if err := t.checkReach("VM "+vm.Name, vm.Network, in.manager); err != nil {
		return db.Execution{}, err
	}
	if vm, err = t.afterSnapshot(ctx, vm); err != nil {
		return db.Execution{}, err
	}
	e := db.Execution{Code: []byte(in.String()), Language: in.spell()}
	return t.launch(ctx, vm, e, nil, o, job{plan: func(id int64) agent.Run { return t.planInstall(vm, in, runID(id)) }})
}

// installation checks a request.
func (t *Tenant) installation(vm db.VirtualMachine, r InstallRequest) (installation, error) {
	in := installation{packages: r.Packages}
	if r.Language == lang.System {
		in.manager = lang.SystemManager()
		if vm.Image == "" {
			return in, &Error{Kind: ErrState, Field: "language", Message: "VM " + vm.Name + " has this machine's own programs, read-only: packages of the system cannot be installed in it",
				Hint: "make one of an image: vm create NAME --image debian:12"}
		}
		return in, checkPackages(in.manager, r.Packages)
	}
	var err error
	if in.language, in.version, err = t.languageOf(vm, RunRequest{Language: r.Language}); err != nil {
		return in, err
	}
	if in.manager, err = t.languages.ManagerFor(in.language); err != nil {
		return in, &Error{Kind: ErrInvalid, Field: "language", Message: err.Error(), Hint: runtime.Hint(err)}
	}
	return in, checkPackages(in.manager, r.Packages)
}

func checkPackages(m lang.Manager, packages []string) error {
	if len(packages) == 0 || len(packages) > maxPackages {
		return invalid("packages", "there are %d packages; between 1 and %d are installed at once", len(packages), maxPackages)
	}
	for _, p := range packages {
		if err := m.Check(p); err != nil {
			return invalid("packages", "%v", err)
		}
	}
	return nil
}

// String is the installation as the history shows it.
func (in installation) String() string {
	return in.manager.Name + " install " + strings.Join(in.packages, " ")
}

func (in installation) spell() string {
	if in.language.ID == "" {
		return lang.System
	}
	return spell(in.language, in.version)
}

// planInstall is what the agent runs for an installation.
func (p *Pool) planInstall(vm db.VirtualMachine, in installation, id string) agent.Run {
	run := in.language.PlanInstall(in.manager, in.packages, lang.InstallOptions{
		ID: id, Version: in.version, Host: vm.Image == "", Indexes: p.packages.Indexes,
	})
	run.Env = slices.Concat(run.Env, pairs(vm.Env))
	if vm.Network.Mode == runtime.NetworkFull && p.packages.Proxy != "" {
		for _, name := range []string{"http_proxy", "https_proxy"} {
			run.Env = append(run.Env, name+"="+p.packages.Proxy, strings.ToUpper(name)+"="+p.packages.Proxy)
		}
	}
	run.Timeout, run.RecordBytes = p.defaults.MaxTimeout, p.defaults.RecordBytes
	hold(&run, vm)
	return run
}

// checkReach fails when a VM, which who names, cannot reach what a manager needs,
// and says what would let it.
func (p *Pool) checkReach(who string, n runtime.Network, m lang.Manager) error {
	if m.NeedsIndex && len(m.Addresses(p.packages.Indexes)) == 0 {
		return &Error{Kind: ErrState, Field: "packages", Message: "no index is known for packages of " + m.Name,
			Hint: "name one in the configuration: packages.indexes." + m.Indexes[0]}
	}
	missing, known := p.unreached(n, m)
	if known && len(missing) == 0 {
		return nil
	}
	message := who + " has no network, and packages of " + m.Name + " come from an index"
	if n.Mode == runtime.NetworkAllowlist {
		message = who + " may not reach " + strings.Join(missing, ", ") + ", where packages of " + m.Name + " come from"
	}
	hint := "a VM's network is chosen when it is made: vm create NAME --network full, or --allow with the index"
	if len(missing) > 0 {
		hint = "a VM's network is chosen when it is made: vm create NAME --allow " + strings.Join(missing, " --allow ") +
			"; vm create --package brings packages in whatever the network"
	}
	return &Error{Kind: ErrState, Field: "packages", Message: message, Hint: hint}
}

// unreached are the entries that a VM's allowlist lacks for a manager; not known
// where only the VM knows what the manager reaches, and it has no network.
func (p *Pool) unreached(n runtime.Network, m lang.Manager) (missing []string, known bool) {
	addresses := m.Addresses(p.packages.Indexes)
	if n.Mode == runtime.NetworkFull || n.Mode == runtime.NetworkAllowlist && len(addresses) == 0 {
		return nil, true
	}
	policy, err := egress.Parse(n.Allow)
	if err != nil {
		return nil, false
	}
	for _, u := range addresses {
		host, port := u.Hostname(), portOf(u)
		if u.Scheme != "file" && !policy.Allows(host, port) {
			missing = append(missing, egress.Entry(host, port))
		}
	}
	return missing, len(addresses) > 0
}

// portOf is the port that an address names or means.
func portOf(u *url.URL) int {
	fallback := map[string]string{"http": "80"}[u.Scheme]
	port, _ := strconv.Atoi(cmp.Or(u.Port(), fallback, "443")) // digits alone, or url.Parse had failed
	return port
}

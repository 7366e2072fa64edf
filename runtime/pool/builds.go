package pool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/egress"
)

// What a VM has beside its image, because its template or its maker says so, is
// built once: in a VM that is nobody's, of which a snapshot is kept that VMs are
// then made from. The build is known by what went into it, so another content is
// another build.
const (
	// builtSnapshot names the snapshot, in the driver.
	builtSnapshot = "built"
	// buildWait is how often a build is looked at that another process makes.
	buildWait = 20 * time.Millisecond
	// buildTTL is how long a build is kept that no VM is made from.
	buildTTL = 30 * 24 * time.Hour
	// maxBuilds is how many a user has.
	maxBuilds = 20
	// buildAttempts is how often a build is taken up that is gone when it is used.
	buildAttempts = 3
)

// digest is short for what can be written as JSON.
func digest(parts ...any) string {
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // plain data always can
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:10])
}

// templateDigest changes with what a template puts into VMs.
func templateDigest(t Template) string {
	return digest(t.Language, t.Image, t.Packages, t.Files, t.Setup, t.SetupUser, t.Env)
}

// buildOf is the key of the build that a VM is made from: the template's content
// as it is now, and all that went into the VM's files.
func (p *Pool) buildOf(vm db.VirtualMachine, t Template, c content, f runtime.Features) string {
	var host []string
	if vm.Image == "" {
		host = f.HostPath // its interpreters are those that the packages are for
	}
	indexes := p.packages.Indexes
	if len(c.packages) == 0 {
		indexes = nil
	}
	of := digest(vm.Runtime, vm.Image, host, vm.Language, vm.Isolation, vm.Env, c.packages, c.files, c.setup, c.setupUser, indexes)
	return templateDigest(t) + "-" + of
}

// furnished makes a VM's machine with its content: from a build where the driver
// takes snapshots, else by itself.
func (t *Tenant) furnished(
	ctx context.Context, vm db.VirtualMachine, template Template, c content, driver runtime.Driver, progress runtime.Progress,
) (runtime.Machine, error) {
	features, err := driver.Probe(ctx)
	if err != nil {
		return runtime.Machine{}, err
	}
	s, is := driver.(snapshotter)
	if !is || features.Snapshots == "" {
		return t.furnish(ctx, vm, c, driver, progress)
	}
	build := vm
	build.Build = t.buildOf(vm, template, c, features)
	for attempt := 1; ; attempt++ {
		source, err := t.built(ctx, build, c, s, features, progress)
		if err != nil {
			return runtime.Machine{}, err
		}
		machine, err := s.CreateFrom(ctx, t.spec(vm), t.ref(source), builtSnapshot, progress)
		if err == nil {
			return machine, t.copySetup(ctx, source, vm)
		}
		gone := errors.Is(err, runtime.ErrNoSnapshot) || errors.Is(err, runtime.ErrNoMachine)
		if !gone || attempt == buildAttempts {
			return machine, err
		}
		// Another process has just removed it, or somebody its files.
		if err := t.dropBuild(ctx, source); err != nil {
			return machine, err
		}
	}
}

// furnish makes a machine and puts the content in, before anybody else may use it.
func (t *Tenant) furnish(
	ctx context.Context, vm db.VirtualMachine, c content, driver runtime.Driver, progress runtime.Progress,
) (runtime.Machine, error) {
	machine, err := driver.Create(ctx, t.spec(vm), progress)
	if err == nil {
		vm.Enforcement = machine.Enforcement
		err = t.setUp(ctx, vm, c, progress)
	}
	return machine, err
}

// built returns the VM of a build, made when there is none. Of several that want
// the same, one makes it and the others wait.
func (t *Tenant) built(
	ctx context.Context, build db.VirtualMachine, c content, driver snapshotter, f runtime.Features, progress runtime.Progress,
) (db.VirtualMachine, error) {
	build.Name = "build-" + digest(build.Build)
	for {
		row, err := t.store.VMByName(ctx, t.user.ID, build.Name)
		if err == nil {
			row = t.recovered(ctx, row)
		}
		switch {
		case isNotFound(err):
			if err := t.pruneBuilds(ctx); err != nil {
				return row, err
			}
			row, err = t.make(ctx, t.builderOf(build, c, f), driver, func(vm db.VirtualMachine) (runtime.Machine, error) {
				return t.build(ctx, vm, c, driver, progress)
			})
			if errors.Is(err, ErrExists) {
				continue // another process was faster
			}
			return row, err
		case err != nil:
			return row, stored(err)
		case row.Build == "":
			return row, &Error{Kind: ErrExists, Message: "your VM " + row.Name + " has a name that is needed", Hint: "rename or delete it"}
		case row.Status == db.Stopped:
			return row, stored(t.store.TouchVM(ctx, row.ID, now()))
		case row.Status.Transient():
			progress.Report("waiting for what another process builds", -1)
			err = pause(ctx, buildWait)
		default:
			err = t.dropBuild(ctx, row)
		}
		if err != nil {
			return row, err
		}
	}
}

// builderOf is the row of the VM in which a build is made.
func (t *Tenant) builderOf(vm db.VirtualMachine, c content, f runtime.Features) db.VirtualMachine {
	at := now()
	vm.ID, vm.Status, vm.Labels, vm.Scratch = 0, db.Creating, nil, false
	vm.CreatedAt, vm.LastUsedAt, vm.ExpiresAt = at, at, time.Time{}
	vm.Owner, vm.OwnedUntil = runtime.Self().String(), at.Add(createDeadline)
	vm.Network = t.buildNetwork(vm, c, f)
	return vm
}

// buildNetwork is how far a build reaches: as far as the VM itself, and to where
// its packages come from, which is anywhere when no index is configured. The VM
// that is made from it gets nothing of that.
func (t *Tenant) buildNetwork(vm db.VirtualMachine, c content, f runtime.Features) runtime.Network {
	if len(c.packages) == 0 || vm.Network.Mode == runtime.NetworkFull {
		return vm.Network
	}
	in, err := t.installation(vm, InstallRequest{Packages: c.packages})
	if err != nil {
		return vm.Network // installing says what is wrong
	}
	if len(in.manager.Addresses(t.packages.Indexes)) == 0 && slices.Contains(f.Networks, runtime.NetworkFull) {
		return runtime.Network{Mode: runtime.NetworkFull}
	}
	if !slices.Contains(f.Networks, runtime.NetworkAllowlist) {
		return vm.Network
	}
	missing, _ := t.unreached(vm.Network, in.manager)
	entries := slices.Concat(vm.Network.Allow, missing, t.indexAddresses(in))
	if len(entries) == 0 {
		return vm.Network
	}
	slices.Sort(entries)
	return runtime.Network{Mode: runtime.NetworkAllowlist, Allow: slices.Compact(entries)}
}

// indexAddresses are the addresses of configured indexes, which may be private:
// who configures them means them.
func (t *Tenant) indexAddresses(in installation) []string {
	var entries []string
	for _, name := range in.manager.Indexes {
		if t.packages.Indexes[name] == "" {
			continue
		}
		for _, u := range in.manager.Addresses(t.packages.Indexes) {
			for _, a := range t.addressesOf(u.Hostname()) {
				entries = append(entries, egress.Entry(a.Unmap().String(), portOf(u)))
			}
		}
	}
	return entries
}

// addressesOf resolves a name as connections of VMs do; none = it cannot be.
func (p *Pool) addressesOf(host string) []netip.Addr {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}
	}
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(p.background, patience)
	defer cancel()
	lookup := p.lookup
	if lookup == nil {
		lookup = egress.LookupHost
	}
	list, err := lookup(ctx, host)
	if err != nil {
		return nil
	}
	return list
}

// build makes the machine of a build, keeps its files as a snapshot and stops it.
func (t *Tenant) build(ctx context.Context, vm db.VirtualMachine, c content, driver snapshotter, progress runtime.Progress) (runtime.Machine, error) {
	machine, err := t.furnish(ctx, vm, c, driver, progress)
	if err != nil {
		return machine, err
	}
	if _, err := driver.Snapshot(ctx, t.ref(vm), builtSnapshot, false, progress); err != nil {
		return machine, err
	}
	return machine, driver.Stop(ctx, t.ref(vm), 0)
}

// copySetup gives a VM's log what its build printed.
func (t *Tenant) copySetup(ctx context.Context, build, vm db.VirtualMachine) error {
	printed, err := t.store.Setup(ctx, build.ID)
	if isNotFound(err) {
		return nil
	}
	if err == nil {
		printed.VMID = vm.ID
		err = t.store.SaveSetup(ctx, &printed)
	}
	return stored(err)
}

func (p *Pool) dropBuild(ctx context.Context, build db.VirtualMachine) error {
	err := p.deleteVM(ctx, build, "it was a build")
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrBusy) || errors.Is(err, ErrState) {
		return nil // another process is at it
	}
	return err
}

// pruneBuilds makes room for one more build of the user's, at the cost of those
// that have been unused for the longest time.
func (t *Tenant) pruneBuilds(ctx context.Context) error {
	builds := true
	rows, err := t.store.VMs(ctx, db.VMFilter{UserID: t.user.ID, Builds: &builds, Status: []db.Status{db.Stopped}})
	if err != nil {
		return stored(err)
	}
	slices.SortFunc(rows, func(a, b db.VirtualMachine) int { return a.LastUsedAt.Compare(b.LastUsedAt) })
	for len(rows) >= maxBuilds {
		if err := t.dropBuild(ctx, rows[0]); err != nil {
			return err
		}
		rows = rows[1:]
	}
	return nil
}

// collectBuilds removes the builds of templates that are gone or say something
// else now, and those that have long been unused.
func (p *Pool) collectBuilds(ctx context.Context) error {
	builds := true
	rows, err := p.store.VMs(ctx, db.VMFilter{Builds: &builds, Status: []db.Status{db.Stopped, db.Failed, db.Running}})
	if err != nil {
		return stored(err)
	}
	var failures []error
	for _, row := range rows {
		current, err := p.isCurrent(ctx, row)
		if err == nil && !current {
			p.log.Info("removing a build that no VM is made from any more", "build", row.Name, "template", row.Template)
			err = p.dropBuild(ctx, row)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", row.Name, err))
		}
	}
	return errors.Join(failures...)
}

// isCurrent reports whether the next VM may be made from a build.
func (p *Pool) isCurrent(ctx context.Context, build db.VirtualMachine) (bool, error) {
	if now().Sub(build.LastUsedAt) > buildTTL || build.Status != db.Stopped {
		return false, nil
	}
	if build.Template == "" {
		return true, nil
	}
	user := Tenant{p, db.User{ID: build.UserID}}
	template, err := user.template(ctx, build.Template)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	of, _, _ := strings.Cut(build.Build, "-")
	return err == nil && of == templateDigest(template), err
}

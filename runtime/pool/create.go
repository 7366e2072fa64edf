package pool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/lang"
)

// How long a process may be at work on a VM before it counts as dead even on a
// host that cannot be looked at.
const (
	createDeadline = time.Hour // image pulls, packages, set-up scripts, and waiting for another one's
	changeDeadline = 5 * time.Minute
)

// cleanupTimeout bounds removing what a failed or cancelled operation made.
const cleanupTimeout = 30 * time.Second

// CreateRequest describes a VM to be made; nil and zero fields mean the default.
// A limit that is set was asked for by hand: it is refused when it cannot be
// enforced.
type CreateRequest struct {
	Name        string
	Template    string // by its name; it says what the request does not
	Language    string // id, with @version to ask for one; empty = none in particular
	Runtime     string
	Image       string
	CPU         *float64 // cores
	MemoryMiB   *int
	DiskMiB     *int
	Pids        *int
	Timeout     *float64 // seconds
	IdleTimeout *float64 // seconds
	TTL         *float64 // seconds
	Network     *runtime.Network
	Isolation   string
	Env         map[string]string
	Labels      map[string]string
	Packages    []string // of its language, beside the template's
	From        *Origin  // files to begin with; nil = those of the image alone

	scratch bool
}

// Origin is a snapshot of another VM.
type Origin struct {
	VM       db.VirtualMachine
	Snapshot db.Snapshot
}

// Create makes a VM with what its template and the request put into it, and starts
// it. When any of that fails or ctx is cancelled, nothing of it is left.
func (t *Tenant) Create(ctx context.Context, r CreateRequest, progress runtime.Progress) (db.VirtualMachine, error) {
	template, err := t.fill(ctx, &r)
	if err != nil {
		return db.VirtualMachine{}, err
	}
	if err := r.validate(t.defaults); err != nil {
		return db.VirtualMachine{}, err
	}
	switch {
	case r.From != nil && len(r.Packages) > 0:
		return db.VirtualMachine{}, &Error{Kind: ErrInvalid, Field: "packages", Message: "a VM of a snapshot begins with what is in that, and no packages beside it",
			Hint: "vm install brings them in afterwards"}
	case r.From != nil:
		return t.fork(ctx, r, progress)
	}
	vm := t.row(r)
	if err := t.setLanguage(&vm, r); err != nil {
		return vm, err
	}
	in := contentOf(template, r.Packages)
	if err := t.checkContent(vm, in); err != nil {
		return vm, err
	}
	driver, err := t.chooseDriver(ctx, &vm, r)
	if err != nil {
		return vm, err
	}
	return t.make(ctx, vm, driver, func(vm db.VirtualMachine) (runtime.Machine, error) {
		if in.empty() {
			return driver.Create(ctx, t.spec(vm), progress)
		}
		return t.furnished(ctx, vm, template, in, driver, progress)
	})
}

// make reserves a row, has its machine made and settles the row.
func (t *Tenant) make(
	ctx context.Context, vm db.VirtualMachine, driver runtime.Driver, machineOf func(db.VirtualMachine) (runtime.Machine, error),
) (db.VirtualMachine, error) {
	if err := t.store.ReserveVM(ctx, &vm, t.quota); err != nil {
		if errors.Is(err, db.ErrExists) {
			return vm, &Error{Kind: ErrExists, Field: "name", Message: "you have a VM named " + quote(vm.Name) + " already",
				Hint: "choose another name, or vm delete " + vm.Name}
		}
		return vm, stored(err)
	}
	made := vm
	machine, err := machineOf(vm)
	if err == nil {
		made, err = t.store.UpdateVM(ctx, vm.ID, []db.Status{db.Creating}, func(vm *db.VirtualMachine) error {
			vm.Status, vm.StartedAt = db.Running, now()
			if vm.Build != "" {
				vm.Status, vm.StoppedAt = db.Stopped, now()
			}
			vm.ContainerID, vm.IP, vm.Enforcement = machine.ID, machine.IP, machine.Enforcement
			vm.Owner, vm.OwnedUntil = "", time.Time{}
			return nil
		})
	}
	if err != nil {
		t.undoCreate(ctx, driver, vm, err)
		return vm, driven(stored(err))
	}
	t.event(ctx, made, "info", "vm.created", fmt.Sprintf("VM %s was created", made.Name), map[string]any{"runtime": made.Runtime, "image": made.Image})
	return made, nil
}

// row is the request with the defaults filled in.
func (t *Tenant) row(r CreateRequest) db.VirtualMachine {
	d := t.defaults
	at := now()
	vm := db.VirtualMachine{
		UserID: t.user.ID, UserName: t.user.Name, Name: r.Name, Status: db.Creating,
		Language: r.Language, Image: r.Image, Template: r.Template, Isolation: r.Isolation,
		CPULimit:    or(r.CPU, d.Limits.CPU),
		MemoryLimit: or(r.MemoryMiB, d.Limits.MemoryMiB),
		DiskLimit:   or(r.DiskMiB, d.Limits.DiskMiB),
		PidsLimit:   or(r.Pids, d.Limits.Pids),
		Timeout:     or(r.Timeout, d.Timeout.Seconds()),
		IdleTimeout: or(r.IdleTimeout, d.IdleTimeout.Seconds()),
		Network:     or(r.Network, d.Network),
		Env:         maps.Clone(r.Env), Labels: maps.Clone(r.Labels), Scratch: r.scratch,
		CreatedAt: at, LastUsedAt: at,
		Owner: runtime.Self().String(), OwnedUntil: at.Add(createDeadline),
	}
	if r.TTL != nil && *r.TTL > 0 {
		vm.ExpiresAt = at.Add(seconds(*r.TTL))
	}
	return vm
}

// setLanguage checks the language and writes its canonical name into the row.
func (t *Tenant) setLanguage(vm *db.VirtualMachine, r CreateRequest) error {
	if r.Language == "" {
		return nil
	}
	l, version, err := t.findLanguage(r.Language)
	if err != nil {
		return err
	}
	vm.Language = spell(l, version)
	return nil
}

// spell writes a language with the version that was asked for, as Find reads it.
func spell(l lang.Language, version string) string {
	if version == "" {
		return l.ID
	}
	return l.ID + "@" + version
}

// spec is what the driver makes the row's machine from.
func (p *Pool) spec(vm db.VirtualMachine) runtime.Spec {
	return runtime.Spec{
		Ref: p.ref(vm), Name: vm.Name, User: vm.UserName, Language: vm.Language, Image: vm.Image,
		Limits:  runtime.Limits{CPU: vm.CPULimit, MemoryMiB: vm.MemoryLimit, DiskMiB: vm.DiskLimit, Pids: vm.PidsLimit},
		Network: vm.Network, Isolation: vm.Isolation, Env: vm.Env, Labels: vm.Labels,
	}
}

// undoCreate removes what a failed creation made. Where even that fails, the row
// stays, and Recover tries again when this process is gone.
func (p *Pool) undoCreate(ctx context.Context, driver runtime.Driver, vm db.VirtualMachine, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	err := driver.Destroy(ctx, p.ref(vm))
	if err == nil {
		err = p.store.DeleteVM(ctx, vm.ID)
	}
	if err != nil && !isNotFound(err) {
		p.log.Error("cannot remove a VM that failed to be created", "vm", vm.Name, "error", err)
		return
	}
	if !errors.Is(cause, context.Canceled) {
		p.event(ctx, vm, "error", "vm.createFailed", fmt.Sprintf("VM %s could not be created: %s", vm.Name, runtime.Plain(cause)), nil)
	}
}

// or is the value that was given, or the default.
func or[T any](given *T, otherwise T) T {
	if given != nil {
		return *given
	}
	return otherwise
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// now is the time as both databases keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

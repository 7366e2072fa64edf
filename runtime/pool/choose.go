package pool

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/lang"
)

// chooseDriver picks the driver of a new VM, settles its image and refuses what
// that driver cannot hold.
func (t *Tenant) chooseDriver(ctx context.Context, vm *db.VirtualMachine, r CreateRequest) (runtime.Driver, error) {
	name := r.Runtime
	if name == "" {
		name = t.runtime
	}
	var driver runtime.Driver
	var features runtime.Features
	var err error
	if name == "" || name == "auto" {
		driver, features, err = t.firstDriver(ctx, *vm, r)
	} else {
		driver, err = t.driver(name)
		if err == nil {
			features, err = driver.Probe(ctx)
		}
	}
	if err != nil {
		return nil, driven(err)
	}
	vm.Runtime = driver.Name()
	if vm.Image, err = t.image(*vm, features); err != nil {
		return nil, err
	}
	return driver, enforceable(features, r)
}

// firstDriver is the first that could make the VM without a download and hold
// what was asked for; else the first that could hold it; else the first that
// works at all.
func (t *Tenant) firstDriver(ctx context.Context, vm db.VirtualMachine, r CreateRequest) (runtime.Driver, runtime.Features, error) {
	type candidate struct {
		driver   runtime.Driver
		features runtime.Features
	}
	var works, holds candidate
	var failures []error
	for _, d := range t.drivers {
		features, err := d.Probe(ctx)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		spec := t.spec(vm)
		if spec.Image, err = t.image(vm, features); err != nil {
			failures = append(failures, err)
			continue
		}
		this := candidate{d, features}
		if works.driver == nil {
			works = this
		}
		if enforceable(features, r) != nil {
			continue
		}
		if d.Ready(ctx, spec) == nil {
			return d, features, nil
		}
		if holds.driver == nil {
			holds = this
		}
	}
	for _, c := range []candidate{holds, works} {
		if c.driver != nil {
			return c.driver, c.features, nil
		}
	}
	return nil, runtime.Features{}, &Error{Kind: ErrUnavailable, Field: "runtime",
		Message: "no runtime works on this machine", Hint: "vm doctor says what each one needs", Cause: errors.Join(failures...)}
}

// image is the OCI image that a VM is made from: the one asked for, else none
// where the host's own toolchain serves, else the language's.
func (p *Pool) image(vm db.VirtualMachine, features runtime.Features) (string, error) {
	if vm.Image != "" {
		return vm.Image, nil
	}
	if vm.Language == "" {
		vm.Language = defaultLanguage
		if features.HostToolchains {
			return "", nil
		}
	}
	l, version, err := p.findLanguage(vm.Language)
	if err != nil {
		return "", err
	}
	if features.HostToolchains && onHost(l, version, features.HostPath) {
		return "", nil
	}
	image, err := l.ImageFor(version)
	if err != nil {
		return "", &Error{Kind: ErrUnavailable, Field: "image", Message: runtime.Plain(err), Hint: runtime.Hint(err), Cause: err}
	}
	return image, nil
}

// defaultLanguage gives its image to VMs that name neither language nor image.
const defaultLanguage = "python"

// onHost reports whether the host has the programs that a language needs, in the
// folders that a machine looks in: what the caller's own PATH leads to may be out
// of a machine's sight, such as the stand-ins of a version manager.
func onHost(l lang.Language, version string, path []string) bool {
	needed, err := l.HostCommands(version)
	if err != nil {
		return false
	}
	found := func(program string) bool {
		return slices.ContainsFunc(path, func(folder string) bool {
			_, err := exec.LookPath(filepath.Join(folder, program))
			return err == nil
		})
	}
	for _, alternatives := range needed {
		if !slices.ContainsFunc(alternatives, found) {
			return false
		}
	}
	return true
}

// enforceable refuses what was asked for by hand and cannot be held.
func enforceable(f runtime.Features, r CreateRequest) error {
	for _, limit := range []struct {
		field    string
		asked    bool
		strength runtime.Strength
	}{
		{"cpuLimit", r.CPU != nil, f.Enforcement.CPU},
		{"memoryLimit", r.MemoryMiB != nil, f.Enforcement.Memory},
		{"diskLimit", r.DiskMiB != nil, f.Enforcement.Disk},
		{"pidsLimit", r.Pids != nil, f.Enforcement.Pids},
	} {
		if limit.asked && limit.strength == runtime.None {
			return &Error{Kind: ErrNotEnforceable, Field: limit.field,
				Message: limit.field + " was asked for and cannot be enforced by this runtime here",
				Hint:    "vm doctor says why; leave it out to have the default applied as hard as the machine allows"}
		}
	}
	if r.Network != nil && !slices.Contains(f.Networks, r.Network.Mode) {
		return noNetwork(f, r.Network.Mode)
	}
	if r.Isolation != "" && !slices.Contains(f.Isolations, r.Isolation) {
		return &Error{Kind: ErrNotEnforceable, Field: "isolation",
			Message: "the isolation " + quote(r.Isolation) + " is not known to this runtime here",
			Hint:    "vm doctor lists the isolations of each runtime"}
	}
	return nil
}

// noNetwork refuses a network mode, with the driver's own reason if it has one.
func noNetwork(f runtime.Features, mode runtime.NetworkMode) error {
	refusal := &Error{Kind: ErrNotEnforceable, Field: "network",
		Message: "the network mode " + string(mode) + " cannot be given by this runtime here",
		Hint:    "vm doctor says what each runtime can give"}
	if why, ok := f.Refused[mode]; ok {
		refusal.Message, refusal.Hint = strings.TrimSuffix(why.Problem, "."), why.Mend
	}
	return refusal
}

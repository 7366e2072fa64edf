package pool

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
)

// scratchWait is how often a scratch VM that another process makes is looked at.
const scratchWait = 20 * time.Millisecond

// Scratch returns the running VM in which code of a language is run that names
// no VM: the user's scratch VM of that language and version, made, started or
// reused. It stops when idle and is deleted when long unused.
func (t *Tenant) Scratch(ctx context.Context, language string, progress runtime.Progress) (db.VirtualMachine, error) {
	if language == "" {
		return db.VirtualMachine{}, invalid("language", "code that names no VM must name its language")
	}
	l, version, err := t.findLanguage(language)
	if err != nil {
		return db.VirtualMachine{}, err
	}
	name := scratchName(spell(l, version))
	for {
		vm, err := t.Get(ctx, 0, name)
		switch {
		case errors.Is(err, ErrNotFound):
			idle := t.defaults.ScratchIdle.Seconds()
			vm, err = t.Create(ctx, CreateRequest{Name: name, Language: spell(l, version), IdleTimeout: &idle, scratch: true}, progress)
		case err != nil:
			return vm, err
		case vm.Status == db.Running:
			return vm, nil
		case vm.Status.Transient():
			// Another process makes, starts or stops it: wait for what becomes of it.
			err = pause(ctx, scratchWait)
			if err != nil {
				return vm, err
			}
			continue
		case vm.Status == db.Failed:
			if err := t.Delete(ctx, vm); err != nil && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrNotFound) {
				return vm, err
			}
			continue
		default:
			vm, err = t.Start(ctx, vm)
		}
		if errors.Is(err, ErrExists) || errors.Is(err, ErrBusy) {
			continue // another process was faster: use its VM
		}
		return vm, err
	}
}

// scratchName is the scratch VM's name for a language.
func scratchName(language string) string { return "scratch-" + plainName(language) }

// plainName spells a language as a VM can be named.
func plainName(language string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("@+:/ ", r) {
			return '-'
		}
		return r
	}, language)
}

// pause waits, or fails when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

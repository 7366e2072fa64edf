package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// What a row is before it is written, and what it is read as, is the same on
// both databases: times in UTC to the microsecond, and bytes that are never nil.

var (
	_ bun.BeforeAppendModelHook = (*VirtualMachine)(nil)
	_ bun.AfterScanRowHook      = (*VirtualMachine)(nil)
	_ bun.BeforeAppendModelHook = (*Execution)(nil)
	_ bun.AfterScanRowHook      = (*Execution)(nil)
	_ bun.BeforeAppendModelHook = (*Event)(nil)
	_ bun.AfterScanRowHook      = (*Event)(nil)
	_ bun.BeforeAppendModelHook = (*User)(nil)
	_ bun.AfterScanRowHook      = (*User)(nil)
	_ bun.BeforeAppendModelHook = (*Template)(nil)
	_ bun.AfterScanRowHook      = (*Template)(nil)
	_ bun.BeforeAppendModelHook = (*Snapshot)(nil)
	_ bun.AfterScanRowHook      = (*Snapshot)(nil)
	_ bun.BeforeAppendModelHook = (*Setup)(nil)
	_ bun.AfterScanRowHook      = (*Setup)(nil)
)

// BeforeAppendModel is called by bun.
func (u *User) BeforeAppendModel(context.Context, bun.Query) error { return u.normalise() }

// AfterScanRow is called by bun.
func (u *User) AfterScanRow(context.Context) error { return u.normalise() }

func (u *User) normalise() error {
	normaliseTimes(&u.CreatedAt)
	return nil
}

// BeforeAppendModel is called by bun.
func (vm *VirtualMachine) BeforeAppendModel(context.Context, bun.Query) error { return vm.normalise() }

// AfterScanRow is called by bun.
func (vm *VirtualMachine) AfterScanRow(context.Context) error { return vm.normalise() }

func (vm *VirtualMachine) normalise() error {
	normaliseTimes(&vm.CreatedAt, &vm.StartedAt, &vm.StoppedAt, &vm.LastUsedAt, &vm.ExpiresAt, &vm.OwnedUntil)
	return nil
}

// BeforeAppendModel is called by bun.
func (e *Execution) BeforeAppendModel(context.Context, bun.Query) error { return e.normalise() }

// AfterScanRow is called by bun.
func (e *Execution) AfterScanRow(context.Context) error { return e.normalise() }

func (e *Execution) normalise() error {
	normaliseTimes(&e.ExecutedAt, &e.EndedAt)
	for _, b := range []*[]byte{&e.Code, &e.Output, &e.Error} {
		if *b == nil {
			*b = []byte{}
		}
	}
	return nil
}

// BeforeAppendModel is called by bun.
func (e *Event) BeforeAppendModel(context.Context, bun.Query) error { return e.normalise() }

// AfterScanRow is called by bun.
func (e *Event) AfterScanRow(context.Context) error { return e.normalise() }

func (e *Event) normalise() error {
	normaliseTimes(&e.Time)
	return nil
}

// BeforeAppendModel is called by bun.
func (t *Template) BeforeAppendModel(context.Context, bun.Query) error { return t.normalise() }

// AfterScanRow is called by bun.
func (t *Template) AfterScanRow(context.Context) error { return t.normalise() }

func (t *Template) normalise() error {
	normaliseTimes(&t.CreatedAt)
	return nil
}

// BeforeAppendModel is called by bun.
func (s *Snapshot) BeforeAppendModel(context.Context, bun.Query) error { return s.normalise() }

// AfterScanRow is called by bun.
func (s *Snapshot) AfterScanRow(context.Context) error { return s.normalise() }

func (s *Snapshot) normalise() error {
	normaliseTimes(&s.CreatedAt)
	return nil
}

// BeforeAppendModel is called by bun.
func (s *Setup) BeforeAppendModel(context.Context, bun.Query) error { return s.normalise() }

// AfterScanRow is called by bun.
func (s *Setup) AfterScanRow(context.Context) error { return s.normalise() }

func (s *Setup) normalise() error {
	normaliseTimes(&s.Began)
	if s.Output == nil {
		s.Output = []byte{}
	}
	return nil
}

func normaliseTimes(times ...*time.Time) {
	for _, t := range times {
		*t = t.UTC().Truncate(time.Microsecond)
	}
}

// setNow gives a time that is zero the present.
func setNow(t *time.Time) {
	if t.IsZero() {
		*t = time.Now()
	}
}

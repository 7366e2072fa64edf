package docker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
)

func TestMachineIsFoundFromItsLabels(t *testing.T) {
	d := newDriver(t)
	spec := newSpec(t, d)
	made, err := d.Create(t.Context(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if made.State != runtime.Running || made.Owner != runtime.Self() {
		t.Errorf("created: %+v", made)
	}
	inspected, err := d.Inspect(t.Context(), spec.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, inspected); diff != "" {
		t.Errorf("Inspect differs from Create (-created +inspected):\n%s", diff)
	}
	listed, err := d.List(t.Context(), instance)
	if err != nil {
		t.Fatal(err)
	}
	if got := find(listed, spec.Ref); got == nil {
		t.Errorf("not listed among %v", listed)
	} else if diff := cmp.Diff(made, *got); diff != "" {
		t.Errorf("List differs from Create (-created +listed):\n%s", diff)
	}
}

func find(machines []runtime.Machine, ref runtime.Ref) *runtime.Machine {
	for i := range machines {
		if machines[i].Ref == ref {
			return &machines[i]
		}
	}
	return nil
}

func TestStates(t *testing.T) {
	d := newDriver(t)
	spec := create(t, d)
	ctx := t.Context()
	steps := []struct {
		name string
		do   func() error
		want runtime.State
	}{
		{"start a running one", func() error { _, err := d.Start(ctx, spec.Ref); return err }, runtime.Running},
		{"stop with grace", func() error { return d.Stop(ctx, spec.Ref, 5*time.Second) }, runtime.Stopped},
		{"stop a stopped one", func() error { return d.Stop(ctx, spec.Ref, time.Second) }, runtime.Stopped},
		{"kill a stopped one", func() error { return d.Stop(ctx, spec.Ref, 0) }, runtime.Stopped},
		{"start", func() error { _, err := d.Start(ctx, spec.Ref); return err }, runtime.Running},
		{"kill", func() error { return d.Stop(ctx, spec.Ref, 0) }, runtime.Stopped},
		{"start again", func() error { _, err := d.Start(ctx, spec.Ref); return err }, runtime.Running},
		{"die", func() error { return d.cli.ContainerKill(ctx, spec.Ref.String(), "KILL") }, runtime.Stopped},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		machine, err := d.Inspect(ctx, spec.Ref)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if machine.State != step.want {
			t.Errorf("%s: state %s, want %s", step.name, machine.State, step.want)
		}
	}
}

func TestNoSuchMachine(t *testing.T) {
	d := newDriver(t)
	ctx := t.Context()
	ref := runtime.Ref{Instance: instance, VM: 1 << 40}
	calls := map[string]func() error{
		"Start":     func() error { _, err := d.Start(ctx, ref); return err },
		"Stop":      func() error { return d.Stop(ctx, ref, time.Second) },
		"kill":      func() error { return d.Stop(ctx, ref, 0) },
		"Inspect":   func() error { _, err := d.Inspect(ctx, ref); return err },
		"Open":      func() error { _, err := d.Open(ctx, ref); return err },
		"Logs":      func() error { _, err := d.Logs(ctx, ref, 10); return err },
		"DiskUsage": func() error { _, err := d.DiskUsage(ctx, ref); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, runtime.ErrNoMachine) {
			t.Errorf("%s: %v, want ErrNoMachine", name, err)
		}
	}
	if err := d.Destroy(ctx, ref); err != nil {
		t.Errorf("Destroy: %v, want nil", err)
	}
}

func TestHalfMadeIsPartial(t *testing.T) {
	d := newDriver(t)
	spec := newSpec(t, d)
	e, err := d.engine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from, err := d.localImage(t.Context(), spec.Image)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.createContainer(t.Context(), spec, e, from); err != nil {
		t.Fatal(err)
	}
	machine, err := d.Inspect(t.Context(), spec.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if machine.State != runtime.Partial {
		t.Errorf("state %s, want partial", machine.State)
	}
	mustBeGoneAfter(t, d, spec.Ref, func() error { return d.Destroy(t.Context(), spec.Ref) })
}

func mustBeGoneAfter(t *testing.T, d *Driver, ref runtime.Ref, do func() error) {
	t.Helper()
	if err := do(); err != nil {
		t.Error(err)
	}
	if _, err := d.Inspect(context.Background(), ref); !errors.Is(err, runtime.ErrNoMachine) {
		t.Errorf("%s is still there: %v", ref, err)
	}
}

func TestDestroyTwiceAtOnce(t *testing.T) {
	d := newDriver(t)
	spec := create(t, d)
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- d.Destroy(context.Background(), spec.Ref) }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	mustBeGoneAfter(t, d, spec.Ref, func() error { return nil })
}

func TestLogsTellWhatBecameOfTheMachine(t *testing.T) {
	d := newDriver(t)
	spec := create(t, d)
	if err := d.Stop(t.Context(), spec.Ref, 0); err != nil {
		t.Fatal(err)
	}
	for tail, want := range map[int][]string{
		10: {"made from " + spec.Image, "started", "ended with exit code 137"},
		1:  {"ended with exit code 137"},
		0:  nil,
	} {
		lines, err := d.Logs(t.Context(), spec.Ref, tail)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, line := range lines {
			if line.Stream == "engine" {
				got = append(got, line.Text)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("last %d lines (-want +got):\n%s", tail, diff)
		}
	}
}

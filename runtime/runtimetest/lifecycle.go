package runtimetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

func testLifecycle(t *testing.T, s *suite) {
	ctx := t.Context()
	spec := s.spec()
	made, err := s.driver.Create(ctx, spec, nil)
	if err != nil {
		t.Fatalf("create: %v; %s", err, runtime.Hint(err))
	}
	if made.Ref != spec.Ref || made.State != runtime.Running || made.ID == "" || made.Owner != runtime.Self() {
		t.Errorf("made %s", show(made))
	}
	seen, err := s.driver.Inspect(ctx, spec.Ref)
	if err != nil {
		t.Fatalf("inspect: %v", err)
	}
	if seen != made {
		t.Errorf("inspect = %s\nwant what create returned: %s", show(seen), show(made))
	}
	list, err := s.driver.List(ctx, s.instance)
	if err != nil || !contains(list, spec.Ref) {
		t.Errorf("list = %+v, %v", list, err)
	}
	if used, err := s.driver.DiskUsage(ctx, spec.Ref); err != nil || used < 0 {
		t.Errorf("disk usage = %d, %v", used, err)
	}
	for range 2 {
		if err := s.driver.Destroy(ctx, spec.Ref); err != nil {
			t.Fatalf("destroy: %v", err)
		}
	}
	s.expectGone(t, spec.Ref)
}

func contains(list []runtime.Machine, ref runtime.Ref) bool {
	for _, m := range list {
		if m.Ref == ref {
			return true
		}
	}
	return false
}

// expectGone fails unless no trace of a machine is left.
func (s *suite) expectGone(t *testing.T, ref runtime.Ref) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if m, err := s.driver.Inspect(ctx, ref); !errors.Is(err, runtime.ErrNoMachine) {
		t.Errorf("inspect = %s, %v; want ErrNoMachine", show(m), err)
	}
	if list, err := s.driver.List(ctx, ref.Instance); err != nil || contains(list, ref) {
		t.Errorf("list = %+v, %v", list, err)
	}
}

func testDestroyAbsent(t *testing.T, s *suite) {
	if err := s.driver.Destroy(t.Context(), s.spec().Ref); err != nil {
		t.Error(err)
	}
}

func testAbsent(t *testing.T, s *suite) {
	ctx := t.Context()
	ref := s.spec().Ref
	for name, call := range map[string]func() error{
		"Inspect":   func() error { _, err := s.driver.Inspect(ctx, ref); return err },
		"Start":     func() error { _, err := s.driver.Start(ctx, ref); return err },
		"Stop":      func() error { return s.driver.Stop(ctx, ref, 0) },
		"Open":      func() error { _, err := s.driver.Open(ctx, ref); return err },
		"Logs":      func() error { _, err := s.driver.Logs(ctx, ref, 10); return err },
		"DiskUsage": func() error { _, err := s.driver.DiskUsage(ctx, ref); return err },
	} {
		if err := call(); !errors.Is(err, runtime.ErrNoMachine) {
			t.Errorf("%s: %v, want ErrNoMachine", name, err)
		}
	}
}

// testCreateCancelled cancels at several moments; the machine is there as a
// whole, or not at all.
func testCreateCancelled(t *testing.T, s *suite) {
	for _, after := range []time.Duration{0, time.Millisecond, 4 * time.Millisecond, 15 * time.Millisecond, 60 * time.Millisecond, 200 * time.Millisecond} {
		t.Run(after.String(), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if after == 0 {
				cancel()
			}
			timer := time.AfterFunc(after, cancel)
			defer timer.Stop()
			spec := s.spec()
			m, err := s.driver.Create(ctx, spec, nil)
			if err == nil {
				if m.State != runtime.Running {
					t.Errorf("made %s", show(m))
				}
				if err := s.destroy(spec.Ref); err != nil {
					t.Error(err)
				}
			}
			s.expectGone(t, spec.Ref)
		})
	}
}

func testStopStart(t *testing.T, s *suite) {
	ctx := t.Context()
	m := s.fresh(t, s.spec())
	m.probe(t, "write", "kept", "1")
	for range 2 {
		if err := s.driver.Stop(ctx, m.spec.Ref, 0); err != nil {
			t.Fatalf("stop: %v", err)
		}
	}
	<-m.client.Done()
	if seen, err := s.driver.Inspect(ctx, m.spec.Ref); err != nil || seen.State != runtime.Stopped {
		t.Errorf("after stop: %s, %v", show(seen), err)
	}
	if _, err := s.driver.Open(ctx, m.spec.Ref); !errors.Is(err, runtime.ErrNotRunning) {
		t.Errorf("open: %v, want ErrNotRunning", err)
	}
	for range 2 {
		started, err := s.driver.Start(ctx, m.spec.Ref)
		if err != nil {
			t.Fatalf("start: %v", err)
		}
		if started.State != runtime.Running || started.Enforcement != m.made.Enforcement {
			t.Errorf("started %s\nmade %s", show(started), show(m.made))
		}
	}
	if err := m.connect(ctx); err != nil {
		t.Fatal(err)
	}
	if result := m.run(t, m.program("read", "kept")); len(result.Stdout.Head)+len(result.Stdout.Tail) != 1<<20 {
		t.Errorf("the file is not what it was: %s", describe(result))
	}
}

// testStopWithGrace stops a machine with a program in it that heeds SIGTERM.
func testStopWithGrace(t *testing.T, s *suite) {
	m := s.fresh(t, s.spec())
	ctx := t.Context()
	ready := make(chan struct{})
	var once sync.Once
	run := m.program("on-term", "heeded")
	if err := m.client.Start(ctx, run); err != nil {
		t.Fatal(err)
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		// The machine goes away meanwhile: how following ends is not at issue.
		_, _ = m.client.Follow(ctx, run.ID, func(_ agent.Stream, _ []byte) { once.Do(func() { close(ready) }) })
	}()
	select {
	case <-ready:
	case <-followed:
		t.Fatal("the program did not start")
	}
	if err := s.driver.Stop(ctx, m.spec.Ref, 20*time.Second); err != nil {
		t.Fatalf("stop: %v", err)
	}
	<-followed
	if _, err := s.driver.Start(ctx, m.spec.Ref); err != nil {
		t.Fatalf("start: %v", err)
	}
	if err := m.connect(ctx); err != nil {
		t.Fatal(err)
	}
	if got := m.probe(t, "read", "heeded"); got != "heeded" {
		t.Errorf("what the program wrote at SIGTERM: %q", got)
	}
}

func testManyAtOnce(t *testing.T, s *suite) {
	const machines = 5
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := make(chan error, machines)
	for range machines {
		go func() { errs <- s.oneOfMany(ctx) }()
	}
	for range machines {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func (s *suite) oneOfMany(ctx context.Context) error {
	spec := s.spec()
	m, err := s.create(ctx, spec)
	if err != nil {
		return err
	}
	defer m.client.Close()
	own := fmt.Sprintf("machine %d", spec.VM)
	result, err := m.client.Run(ctx, m.program("print", own), nil)
	if err == nil && string(result.Stdout.Head) != own+"\n" {
		err = errors.New(describe(result))
	}
	return errors.Join(err, s.driver.Destroy(ctx, spec.Ref))
}

func testOtherInstance(t *testing.T, s *suite) {
	s.shared(t)
	list, err := s.driver.List(t.Context(), randomInstance())
	if err != nil || len(list) != 0 {
		t.Errorf("list of an instance that made nothing = %+v, %v", list, err)
	}
}

func testLogs(t *testing.T, s *suite) {
	lines, err := s.driver.Logs(t.Context(), s.shared(t).spec.Ref, 5)
	if err != nil {
		t.Fatal(err)
	}
	if lines == nil || len(lines) > 5 {
		t.Errorf("logs = %+v; want a list of at most five lines, empty rather than nil", lines)
	}
}

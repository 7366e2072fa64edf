package runtimetest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

// limited makes a machine whose limit of one kind is held, or skips the case.
func (s *suite) limited(t *testing.T, spec runtime.Spec, kind string, strength func(runtime.Enforcement) runtime.Strength) *machine {
	t.Helper()
	m := s.fresh(t, spec)
	if strength(m.made.Enforcement) == runtime.None {
		t.Skipf("%s does not hold a %s limit here: %+v", s.driver.Name(), kind, s.features.Notes)
	}
	return m
}

// testCPULimit gives half a core to two busy threads.
func testCPULimit(t *testing.T, s *suite) {
	spec := s.spec()
	spec.Limits.CPU = 0.5
	m := s.limited(t, spec, "CPU", func(e runtime.Enforcement) runtime.Strength { return e.CPU })
	var got report.CPU
	m.report(t, &got, "cpu", "1500ms", "2")
	cores := got.Used / got.Wall
	t.Logf("%.2f cores", cores)
	if cores < 0.05 || cores > 0.7 {
		t.Errorf("half a core was measured as %.2f: %+v", cores, got)
	}
}

func testMemoryLimit(t *testing.T, s *suite) {
	m := s.limited(t, s.spec(), "memory", func(e runtime.Enforcement) runtime.Strength { return e.Memory })
	for range 2 {
		result := m.run(t, m.program("memory", strconv.Itoa(8*m.spec.Limits.MemoryMiB)))
		if result.Verdict != agent.OutOfMemory || string(result.Stdout.Head) != "allocating\n" {
			t.Error(describe(result))
		}
		m.healthy(t)
	}
	t.Run("below", func(t *testing.T) {
		mib := m.spec.Limits.MemoryMiB / 2
		result := m.run(t, m.program("memory", strconv.Itoa(mib)))
		if want := fmt.Sprintf("allocating\nallocated %d\n", mib); string(result.Stdout.Head) != want {
			t.Errorf("half of the limit: %s", describe(result))
		}
		if result.PeakMemory < int64(mib)<<20 {
			t.Errorf("peak = %d bytes of %d MiB", result.PeakMemory, mib)
		}
	})
}

func testDiskLimit(t *testing.T, s *suite) {
	m := s.limited(t, s.spec(), "disk", func(e runtime.Enforcement) runtime.Strength { return e.Disk })
	usage := func() int64 {
		used, err := s.driver.DiskUsage(t.Context(), m.spec.Ref)
		if err != nil {
			t.Fatalf("disk usage: %v", err)
		}
		return used
	}
	limit := int64(m.spec.Limits.DiskMiB) << 20
	result := m.run(t, m.program("write", "big", "2048"))
	if result.Verdict != agent.DiskFull || string(result.Stdout.Head) != "writing\n" {
		t.Error(describe(result))
	}
	if used := usage(); used < limit/2 || used > limit+limit/4 {
		t.Errorf("used %d bytes of %d at the limit", used, limit)
	}
	// A full disk may stop new programs, but not their files' removal.
	m.probe(t, "remove", "big")
	if used := usage(); used > limit/2 {
		t.Errorf("used %d bytes of %d after the file is gone", used, limit)
	}
	m.healthy(t)
	t.Run("tidy", func(t *testing.T) {
		if result := m.run(t, m.program("write", "big", "2048", "tidy")); result.Verdict != agent.DiskFull {
			t.Error(describe(result))
		}
		m.healthy(t)
	})
	t.Run("words", func(t *testing.T) {
		run := m.program("exit", "1")
		run.Build = []string{probePath, "err", "no space left on device, disk quota exceeded, file too large"}
		if result := m.run(t, run); result.Verdict != agent.Exited {
			t.Errorf("a program that only says so: %s", describe(result))
		}
	})
	t.Run("below", func(t *testing.T) {
		mib := m.spec.Limits.DiskMiB / 2
		expect(t, m.run(t, m.program("write", "fits", strconv.Itoa(mib))), agent.Exited, 0)
	})
}

// testPidsLimit forks until the kernel refuses.
func testPidsLimit(t *testing.T, s *suite) {
	m := s.limited(t, s.spec(), "pids", func(e runtime.Enforcement) runtime.Strength { return e.Pids })
	run := m.program("fork-bomb")
	run.Timeout = time.Minute
	result := m.run(t, run)
	if result.Verdict != agent.PidsLimit || string(result.Stdout.Head) != "forking\n" {
		t.Error(describe(result))
	}
	m.healthy(t)
}

// testForkStorm: every process forks for ever. Something has to end it, and the
// machine has to serve during it and after it.
func testForkStorm(t *testing.T, s *suite) {
	m := s.limited(t, s.spec(), "pids", func(e runtime.Enforcement) runtime.Strength { return e.Pids })
	run := m.program("fork-storm")
	run.Timeout = 2 * time.Second
	result := m.serving(t, run)
	if result.Verdict != agent.Timeout && result.Verdict != agent.PidsLimit {
		t.Error(describe(result))
	}
	m.healthy(t)
}

// testOOMStorm: what the kernel kills for want of memory is started again for
// ever. Something has to end it, and the machine has to serve during it and after
// it. (It may be the time that ends it: where programs wait for their own pages
// to be read again and again, the kernel kills hardly any.)
func testOOMStorm(t *testing.T, s *suite) {
	m := s.limited(t, s.spec(), "memory", func(e runtime.Enforcement) runtime.Strength { return e.Memory })
	run := m.program("oom-storm", strconv.Itoa(8*m.spec.Limits.MemoryMiB))
	run.Timeout = 5 * time.Second
	result := m.serving(t, run)
	if result.Verdict != agent.Timeout && result.Verdict != agent.OutOfMemory {
		t.Error(describe(result))
	}
	m.healthy(t)
}

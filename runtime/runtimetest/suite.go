// Package runtimetest is the conformance suite that every driver passes: what
// runtime.Driver and agent.Client promise, tried on real machines.
//
// A driver's test is a few lines:
//
//	func TestConformance(t *testing.T) {
//		runtimetest.Run(t, newDriver, runtimetest.Options{Image: "debian:12"})
//	}
package runtimetest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// Options of one run of the suite.
type Options struct {
	// Image of the machines; "" = the host's toolchains. The suite needs
	// nothing in it: it brings its own static program.
	Image string
	// Limits of the machines; zero fields have small defaults, which keep the
	// suite quick. The CPU limit is not used by the case that measures it.
	Limits runtime.Limits
	// Skip names cases that make no sense for the driver, each with the reason.
	Skip map[string]string
}

// patience bounds every step of a case: what takes longer hangs.
const patience = 2 * time.Minute

// cases, by the part of the contract that they hold. The names are what
// Options.Skip takes.
var cases = []struct {
	name string
	run  func(t *testing.T, s *suite)
}{
	// The life of a machine.
	{"lifecycle", testLifecycle},
	{"destroyAbsent", testDestroyAbsent},
	{"absent", testAbsent},
	{"createCancelled", testCreateCancelled},
	{"stopStart", testStopStart},
	{"stopWithGrace", testStopWithGrace},
	{"manyAtOnce", testManyAtOnce},
	{"otherInstance", testOtherInstance},
	{"logs", testLogs},

	// A program and its streams.
	{"outputs", testOutputs},
	{"stdin", testStdin},
	{"binary", testBinary},
	{"splitCharacter", testSplitCharacter},
	{"exitCode", testExitCode},
	{"ownSignal", testOwnSignal},
	{"signal", testSignal},
	{"surroundings", testSurroundings},
	{"files", testFiles},
	{"foreignFolders", testForeignFolders},
	{"scratch", testScratch},
	{"missingProgram", testMissingProgram},
	{"failedBuild", testFailedBuild},
	{"sameID", testSameID},
	{"forget", testForget},
	{"stats", testStats},

	// Files, without a program of the machine's own.
	{"readWrite", testReadWrite},
	{"listRemove", testListRemove},
	{"unfitFiles", testUnfitFiles},
	{"copyTree", testCopyTree},
	{"copyLarge", testCopyLarge},
	{"copyCancelled", testCopyCancelled},
	{"workspace", testWorkspace},

	// Terminals.
	{"terminal", testTerminal},
	{"terminalKeys", testTerminalKeys},
	{"terminalAgain", testTerminalAgain},

	// Runs and those who follow them.
	{"twoClients", testTwoClients},
	{"clientDies", testClientDies},
	{"slowReader", testSlowReader},
	{"noReader", testNoReader},
	{"gigabyte", testGigabyte},

	// Trees of processes.
	{"timeoutKillsTree", testTimeoutKillsTree},
	{"cancelKillsTree", testCancelKillsTree},
	{"childHoldsPipe", testChildHoldsPipe},
	{"detach", testDetach},

	// Limits, proved from inside.
	{"cpuLimit", testCPULimit},
	{"memoryLimit", testMemoryLimit},
	{"oomStorm", testOOMStorm},
	{"diskLimit", testDiskLimit},
	{"pidsLimit", testPidsLimit},
	{"forkStorm", testForkStorm},

	// Snapshots.
	{"snapshotExact", testSnapshotExact},
	{"snapshotRunning", testSnapshotRunning},
	{"snapshotChain", testSnapshotChain},
	{"snapshotStopped", testSnapshotStopped},
	{"snapshotFork", testSnapshotFork},
	{"snapshotTemplate", testSnapshotTemplate},
	{"snapshotAtOnce", testSnapshotAtOnce},
	{"snapshotUnchanged", testSnapshotUnchanged},
	{"snapshotAbsent", testSnapshotAbsent},
	{"snapshotCancelled", testSnapshotCancelled},
	{"snapshotCycles", testSnapshotCycles},
	{"diffExact", testDiffExact},
	{"diffContent", testDiffContent},
	{"diffTraps", testDiffTraps},
	{"diffStopped", testDiffStopped},
	{"diffAbsent", testDiffAbsent},

	// Walls.
	{"noNetwork", testNoNetwork},
	{"allowlist", testAllowlist},
	{"fullNetwork", testFullNetwork},
	{"noPrivileges", testNoPrivileges},
}

// Run runs the suite on one driver, which it closes. Every case is a subtest. A
// driver that fails to probe fails the test: the caller skips beforehand where
// the engine may be missing.
func Run(t *testing.T, newDriver func(t *testing.T) runtime.Driver, o Options) {
	driver := newDriver(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	features, err := driver.Probe(ctx)
	if err != nil {
		t.Fatalf("probe: %v; %s", err, runtime.Hint(err))
	}
	t.Logf("%s %s, enforcement %+v", driver.Name(), features.Version, features.Enforcement)
	s := &suite{
		T:        t,
		driver:   driver,
		features: features,
		instance: randomInstance(),
		image:    o.Image,
		limits: runtime.Limits{
			CPU:       cmp.Or(o.Limits.CPU, 1),
			MemoryMiB: cmp.Or(o.Limits.MemoryMiB, 128),
			DiskMiB:   cmp.Or(o.Limits.DiskMiB, 256),
			Pids:      cmp.Or(o.Limits.Pids, 96),
		},
	}
	t.Cleanup(s.finish)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if reason := o.Skip[c.name]; reason != "" {
				t.Skip(reason)
			}
			c.run(t, s)
		})
	}
}

// suite is one run of all cases.
type suite struct {
	*testing.T
	driver   runtime.Driver
	features runtime.Features
	instance string
	image    string
	limits   runtime.Limits

	lastVM  atomic.Int64
	lastRun atomic.Int64
	common  *machine // see shared
}

func randomInstance() string {
	id := make([]byte, 6)
	rand.Read(id)
	return "test" + hex.EncodeToString(id)
}

// spec of a machine that was never made.
func (s *suite) spec() runtime.Spec {
	ref := runtime.Ref{Instance: s.instance, VM: s.lastVM.Add(1)}
	return runtime.Spec{
		Ref:     ref,
		Name:    fmt.Sprintf("conformance-%d", ref.VM),
		User:    "tester",
		Image:   s.image,
		Limits:  s.limits,
		Network: runtime.Network{Mode: runtime.NetworkNone},
		Env:     map[string]string{"FROM_SPEC": "yes", "FROM_BOTH": "spec"},
		Labels:  map[string]string{"purpose": "conformance"},
	}
}

// fresh makes a machine for one case, which ends with it.
func (s *suite) fresh(t *testing.T, spec runtime.Spec) *machine {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := s.create(ctx, spec)
	if err != nil {
		t.Fatalf("create: %v; %s", err, runtime.Hint(err))
	}
	t.Cleanup(func() {
		m.client.Close()
		if err := s.destroy(spec.Ref); err != nil {
			t.Errorf("destroy: %v", err)
		}
	})
	return m
}

// shared returns the machine that all harmless cases use.
func (s *suite) shared(t *testing.T) *machine {
	t.Helper()
	if s.common == nil {
		s.common = s.fresh(s.T, s.spec())
	}
	return s.common
}

// create makes a machine with a client and the probe in it. On failure nothing
// is left.
func (s *suite) create(ctx context.Context, spec runtime.Spec) (*machine, error) {
	made, err := s.driver.Create(ctx, spec, nil)
	if err != nil {
		return nil, err
	}
	m := &machine{suite: s, spec: spec, made: made}
	if err := m.connect(ctx); err != nil {
		return nil, errors.Join(err, s.destroy(spec.Ref))
	}
	return m, nil
}

func (s *suite) destroy(ref runtime.Ref) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.driver.Destroy(ctx, ref)
}

// open opens a client of its own to a machine.
func (s *suite) open(ctx context.Context, ref runtime.Ref) (*agent.Client, error) {
	stream, err := s.driver.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	return agent.NewClient(stream)
}

// finish holds the driver to having left nothing, whatever the cases did.
func (s *suite) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	left, err := s.driver.List(ctx, s.instance)
	if err != nil {
		s.Errorf("list after all cases: %v", err)
	}
	for _, m := range left {
		s.Errorf("left behind: %s", show(m))
		if err := s.destroy(m.Ref); err != nil {
			s.Errorf("destroy %s: %v", m.Ref, err)
		}
	}
	if err := s.driver.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
}

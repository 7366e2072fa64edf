package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/itechsmart/vm/runtime"
)

// instance keeps the machines of this test run apart from all others.
var instance = "dockertest" + uuid.NewString()[:8]

var lastVM atomic.Int64

func TestMain(m *testing.M) {
	status := m.Run()
	removeTestImage()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// newDriver returns a driver of the test environment's engine, or else of the
// machine's own. Without any the test is skipped, but not in CI.
func newDriver(t *testing.T) *Driver {
	t.Helper()
	d, err := New(Options{Host: os.Getenv("ITECHSMART_TEST_DOCKER_HOST")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if _, err := d.Probe(t.Context()); errors.Is(err, runtime.ErrUnavailable) {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	return d
}

// newSpec returns the specification of a machine that the test's end destroys.
func newSpec(t *testing.T, d *Driver) runtime.Spec {
	t.Helper()
	spec := runtime.Spec{
		Ref:     runtime.Ref{Instance: instance, VM: lastVM.Add(1)},
		Name:    "test",
		Image:   emptyImage(t, d),
		Limits:  runtime.Limits{CPU: 1, MemoryMiB: 128, DiskMiB: 64, Pids: 32},
		Network: runtime.Network{Mode: runtime.NetworkNone},
	}
	t.Cleanup(func() {
		if err := d.Destroy(context.Background(), spec.Ref); err != nil {
			t.Error(err)
		}
	})
	return spec
}

// create makes a machine that the test's end destroys.
func create(t *testing.T, d *Driver) runtime.Spec {
	t.Helper()
	spec := newSpec(t, d)
	if _, err := d.Create(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	return spec
}

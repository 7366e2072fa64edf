//go:build !linux

package native

import (
	"context"
	"fmt"
	"io"
	goruntime "runtime"
	"time"

	"github.com/itechsmart/vm/runtime"
)

// New returns a driver that can do nothing here and says so.
func New(Options) runtime.Driver { return absent{} }

// absent is the driver on systems that have no Linux namespaces.
type absent struct{}

func (absent) err() error {
	return runtime.WithHint(
		fmt.Errorf("the native runtime needs Linux, this is %s: %w", goruntime.GOOS, runtime.ErrUnavailable),
		"use --runtime docker, with Docker Desktop or another engine")
}

func (absent) Name() string { return "native" }

func (a absent) Probe(context.Context) (runtime.Features, error) {
	return runtime.Features{}, a.err()
}
func (a absent) Ready(context.Context, runtime.Spec) error { return a.err() }
func (a absent) Create(context.Context, runtime.Spec, runtime.Progress) (runtime.Machine, error) {
	return runtime.Machine{}, a.err()
}
func (a absent) Start(context.Context, runtime.Ref) (runtime.Machine, error) {
	return runtime.Machine{}, a.err()
}
func (a absent) Stop(context.Context, runtime.Ref, time.Duration) error { return a.err() }

// Destroy succeeds: there cannot be such a machine.
func (absent) Destroy(context.Context, runtime.Ref) error { return nil }
func (absent) Inspect(context.Context, runtime.Ref) (runtime.Machine, error) {
	return runtime.Machine{}, runtime.ErrNoMachine
}
func (absent) List(context.Context, string) ([]runtime.Machine, error) { return nil, nil }
func (absent) Open(context.Context, runtime.Ref) (io.ReadWriteCloser, error) {
	return nil, runtime.ErrNoMachine
}
func (absent) Logs(context.Context, runtime.Ref, int) ([]runtime.LogLine, error) {
	return nil, runtime.ErrNoMachine
}
func (absent) DiskUsage(context.Context, runtime.Ref) (int64, error) {
	return 0, runtime.ErrNoMachine
}
func (absent) Close() error { return nil }

// Package docker makes machines out of containers of a Docker Engine, local or
// remote, from release 20.10 (API 1.41) on.
//
// The agent is the container's init. It comes from a volume that is filled once
// per engine, so that any Linux image will do, and its stream is a hijacked exec
// of the same program that bridges to the agent's socket.
package docker

import (
	"context"
	"fmt"
	"sync"

	"github.com/docker/docker/client"

	"github.com/itechsmart/vm/runtime"
)

// Options of the driver. The zero value takes the engine that the docker
// command would take from DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH.
type Options struct {
	// Host is the engine's address, such as unix:///run/docker.sock or
	// tcp://10.0.0.7:2376. Empty = DOCKER_HOST, or else the local default.
	Host string
}

// Driver is a runtime.Driver. It keeps no state about machines: the engine has
// it all, in labels, so that any process finds any machine.
type Driver struct {
	host string // Options.Host
	cli  *client.Client

	highStack int // layers that an image of ours has at most; see flatten

	agentMu sync.Mutex // held while the agent's volume is filled

	quotaMu sync.Mutex
	quotas  map[string]bool // by engine id: whether it takes a disk limit
}

var _ runtime.Driver = (*Driver)(nil)

// New returns a driver. It does not speak to the engine yet: an engine that
// comes later is found then. It fails when an address or a certificate is wrong.
func New(options Options) (*Driver, error) {
	settings := []client.Opt{client.FromEnv}
	if options.Host != "" {
		settings = append(settings, client.WithHost(options.Host))
	}
	// The version is agreed upon at the first request that reaches the engine,
	// and a failure to do so is that request's own.
	cli, err := client.NewClientWithOpts(append(settings, client.WithAPIVersionNegotiation())...)
	if err != nil {
		return nil, runtime.WithHint(fmt.Errorf("docker engine's address: %w", err), "check DOCKER_HOST")
	}
	return &Driver{host: options.Host, cli: cli, highStack: standardHighStack, quotas: map[string]bool{}}, nil
}

// Name implements runtime.Driver.
func (d *Driver) Name() string { return "docker" }

// Close implements runtime.Driver. Streams that Open returned stay open.
func (d *Driver) Close() error { return d.cli.Close() }

// DiskUsage implements runtime.Driver.
func (d *Driver) DiskUsage(ctx context.Context, ref runtime.Ref) (int64, error) {
	const withSize = true
	found, _, err := d.cli.ContainerInspectWithRaw(ctx, ref.String(), withSize)
	if err != nil {
		return 0, d.explain(ctx, "measure "+ref.String(), err)
	}
	if found.SizeRw == nil {
		return 0, nil
	}
	return *found.SizeRw, nil
}

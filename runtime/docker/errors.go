package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/itechsmart/vm/runtime"
)

// explain turns an engine's error about one machine into the contract's. A
// caller's own cancellation stays what it is.
func (d *Driver) explain(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case unreachable(err):
		return d.unavailable(err)
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w", doing, runtime.ErrNoMachine)
	case errdefs.IsConflict(err) && strings.Contains(err.Error(), "is not running"):
		return fmt.Errorf("%s: %w", doing, runtime.ErrNotRunning)
	case errdefs.IsInvalidArgument(err):
		return fmt.Errorf("%s: %w: %w", doing, runtime.ErrInvalidSpec, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// unreachable reports whether err says that the engine could not be spoken to,
// before or in the middle of a request, rather than what it answered.
func unreachable(err error) bool {
	var network *net.OpError
	return client.IsErrConnectionFailed(err) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (d *Driver) unavailable(err error) error {
	hint := "start the engine (systemctl start docker), or set DOCKER_HOST to one that runs"
	if strings.Contains(err.Error(), "permission denied") {
		hint = "allow your user to use the engine: sudo usermod -aG docker $USER, then log in again"
	}
	return runtime.WithHint(fmt.Errorf("%w: docker engine: %w", runtime.ErrUnavailable, err), hint)
}

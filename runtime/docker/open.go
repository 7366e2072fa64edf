package docker

import (
	"context"
	"io"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

	"github.com/itechsmart/vm/runtime"
)

// Open implements runtime.Driver: it runs the agent's bridge in the container
// and hands out its standard input and output.
func (d *Driver) Open(ctx context.Context, ref runtime.Ref) (io.ReadWriteCloser, error) {
	return d.open(ctx, ref.String(), ref.String())
}

// open opens a stream to the agent in a container, which errors call by name.
func (d *Driver) open(ctx context.Context, id, name string) (io.ReadWriteCloser, error) {
	bridge, err := d.cli.ContainerExecCreate(ctx, id, container.ExecOptions{
		WorkingDir:   "/",
		Cmd:          []string{agentPath, "bridge", "-socket", agentSocket},
		AttachStdin:  true,
		AttachStdout: true,
		AttachStderr: true,
	})
	if err != nil {
		return nil, d.explain(ctx, "open "+name, err)
	}
	hijacked, err := d.attach(ctx, bridge.ID)
	if err != nil {
		return nil, d.explain(ctx, "open "+name, err)
	}
	return newStream(hijacked), nil
}

// attach starts the exec and takes over its connection. The client heeds ctx
// only while it dials, so a stuck engine is left behind in a goroutine.
func (d *Driver) attach(ctx context.Context, exec string) (types.HijackedResponse, error) {
	type outcome struct {
		hijacked types.HijackedResponse
		err      error
	}
	done := make(chan outcome, 1)
	go func() {
		hijacked, err := d.cli.ContainerExecAttach(ctx, exec, container.ExecAttachOptions{})
		done <- outcome{hijacked, err}
	}()
	select {
	case o := <-done:
		return o.hijacked, o.err
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				o.hijacked.Close()
			}
		}()
		return types.HijackedResponse{}, ctx.Err()
	}
}

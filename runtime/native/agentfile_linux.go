package native

import (
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// agentFile returns the path of the guest program, written there once for every
// version of it.
func (d *Driver) agentFile() (string, error) {
	if d.options.Agent != "" {
		return resolve(d.options.Agent), nil
	}
	return writeAgent(d.layout.agents())
}

// writeAgent puts the guest program that this one carries into the state folder.
func writeAgent(folder string) (string, error) {
	program, err := agent.Binary(goruntime.GOARCH)
	if err != nil {
		return "", fmt.Errorf("%w: %w", err, runtime.ErrUnavailable)
	}
	digest, err := agent.Digest(goruntime.GOARCH)
	if err != nil {
		return "", fmt.Errorf("%w: %w", err, runtime.ErrUnavailable)
	}
	path := filepath.Join(folder, digest)
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(program)) {
		return path, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("store the guest program: %w", err)
	}
	file, err := os.CreateTemp(folder, ".making-")
	if err != nil {
		return "", fmt.Errorf("store the guest program: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone by its new name if all went well
	_, err = file.Write(program)
	if err == nil {
		err = file.Chmod(0o555)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return "", fmt.Errorf("store the guest program: %w", err)
	}
	return path, nil
}

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/itechsmart/vm/runtime/agent/guest"
)

func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	socket := flags.String("socket", "", "unix socket to listen on")
	text := flags.String("config", "{}", "guest.Config as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var config guest.Config
	if err := json.Unmarshal([]byte(*text), &config); err != nil {
		return fmt.Errorf("-config: %w", err)
	}
	l, err := listen(*socket)
	if err != nil {
		return err
	}
	return guest.Serve(ctx, l, config)
}

// listen makes the socket, in place of one that an earlier guest left; only the
// guest's own user may connect.
func listen(path string) (net.Listener, error) {
	if path == "" {
		return nil, errors.New("-socket is missing")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

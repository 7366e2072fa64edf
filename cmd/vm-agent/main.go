//go:build linux

// Command vm-agent is the program inside every VM: its init or a service in it,
// the bridge to that from outside, and the supervisor of each program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/itechsmart/vm/runtime/agent/errand"
	"github.com/itechsmart/vm/runtime/agent/guest"
	"github.com/itechsmart/vm/runtime/native/sandbox"
)

var errUsage = errors.New(`no such command; there are:
  vm-agent serve -socket PATH -config JSON   be the VM's guest
  vm-agent bridge -socket PATH               join stdin and stdout to it
  vm-agent sandbox                           assemble a native sandbox, then be its guest
  vm-agent supervise                         (internal) run programs for the guest
  vm-agent fence raise|lower -rules JSON     keep VMs that have a network away from this host
  vm-agent errand WHAT …                     (internal) do something with files`)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "errand" {
		os.Exit(errand.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "vm-agent:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch command, args := args[0], args[1:]; command {
	case "serve":
		return serve(ctx, args)
	case "bridge":
		return bridge(args)
	case "sandbox":
		return sandbox.Run(args)
	case "fence":
		return fenceCommand(args)
	case "supervise":
		return guest.Supervise(args)
	default:
		return fmt.Errorf("%q: %w", command, errUsage)
	}
}

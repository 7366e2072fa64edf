package main

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime/all"
	"github.com/itechsmart/vm/server"
)

func serveCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve an editor over standard input and output",
		Long: `Serve speaks JSON-RPC over standard input and output, as the Language Server
Protocol frames it. Editors start it; docs/protocol.md describes what it answers.

It ends with exit code 0 after shutdown and exit, and 1 when its input ends
without them. Executions that still run then go on in their VMs, and the next
server follows them to their end.`,
		Args:              takes(0, 0),
		ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := t.settings()
			if err != nil {
				return err
			}
			level := slog.LevelInfo
			if t.verbose {
				level = slog.LevelDebug
			}
			return serve(cmd, settings, server.NewLog(os.Stderr, level))
		},
	}
}

func serve(cmd *cobra.Command, settings handlers.Settings, log *server.Log) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ending, err := server.Serve(ctx, server.Stdio(os.Stdin, os.Stdout), func() handlers.Dispatcher {
		return handlers.NewSession(handlers.SessionOptions{
			Settings: settings, Open: open, Runtimes: all.Names, Version: version, Log: slog.New(log), OwnMachine: true,
		})
	}, server.Options{Log: log})
	if err != nil {
		slog.New(log).Warn("the connection did not end well", "error", err)
	}
	return exitAs(ending.ExitCode())
}

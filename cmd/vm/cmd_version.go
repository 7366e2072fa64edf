package main

import (
	"fmt"
	goruntime "runtime"

	"github.com/spf13/cobra"
)

func versionCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		GroupID:           groupProgram,
		Short:             "Print the version",
		Args:              takes(0, 0),
		ValidArgsFunction: words(),
		RunE: func(*cobra.Command, []string) error {
			if t.json {
				return writeJSON(t.stdout, map[string]string{
					"version": version, "go": goruntime.Version(), "os": goruntime.GOOS, "arch": goruntime.GOARCH,
				})
			}
			_, err := fmt.Fprintf(t.stdout, "vm %s (%s, %s/%s)\n", version, goruntime.Version(), goruntime.GOOS, goruntime.GOARCH)
			return err
		},
	}
}

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

func fetch(addresses []string) error {
	fetched, err := report.Fetch(context.Background(), os.Getenv("HTTP_PROXY"), addresses)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(fetched)
}

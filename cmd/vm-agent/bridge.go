//go:build linux

package main

import (
	"flag"
	"io"
	"os"
)

// bridge copies between its standard streams and the guest's socket, until
// either side ends.
func bridge(args []string) error {
	flags := flag.NewFlagSet("bridge", flag.ContinueOnError)
	socket := flags.String("socket", "", "unix socket of the guest")
	if err := flags.Parse(args); err != nil {
		return err
	}
	conn, err := dial(*socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	ended := make(chan error, 2)
	go func() {
		_, err := io.Copy(conn, os.Stdin)
		ended <- err
	}()
	go func() {
		_, err := io.Copy(os.Stdout, conn)
		ended <- err
	}()
	return <-ended
}

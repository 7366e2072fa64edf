//go:build linux

package main

import (
	"errors"
	"io/fs"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// dialPatience is how long the bridge waits for a guest that is still starting:
// an engine calls a container started before its first instruction.
const dialPatience = 10 * time.Second

// dial connects to the guest's socket, as soon as it is there.
func dial(socket string) (net.Conn, error) {
	for deadline := time.Now().Add(dialPatience); ; time.Sleep(2 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		early := errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED)
		if !early || time.Now().After(deadline) {
			return conn, err
		}
	}
}

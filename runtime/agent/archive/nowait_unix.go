//go:build unix

package archive

import "golang.org/x/sys/unix"

// noWait opens pipes without waiting for their other end.
const noWait = unix.O_NONBLOCK

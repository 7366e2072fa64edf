package egress

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
)

// unreachable is a connection that the policy allows and the network does not
// give. A program in the VM reads its text, which therefore says nothing of the
// host's own network: no address of a name server, none behind a name.
type unreachable struct {
	text  string
	cause error
}

func (u *unreachable) Error() string { return u.text }
func (u *unreachable) Unwrap() error { return u.cause }

// inWords says why a lookup or an attempt to connect failed.
func inWords(err error) string {
	var lookup *net.DNSError
	var number syscall.Errno
	switch {
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return "there is no such name"
	case errors.Is(err, context.Canceled):
		return "the program gave up"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), lookup != nil && lookup.IsTimeout:
		return "no answer in time"
	case errors.As(err, &number):
		return number.Error()
	}
	return "its network is in disorder"
}

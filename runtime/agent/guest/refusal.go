package guest

import (
	"errors"
	"fmt"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// refusal is an error that a client gets a code for.
type refusal struct {
	code    wire.Code
	message string
}

func (r refusal) Error() string { return r.message }

var errStopped = refusal{wire.CodeStopped, "following stopped"}

func invalid(format string, args ...any) error {
	return refusal{wire.CodeInvalid, fmt.Sprintf(format, args...)}
}

func codeOf(err error) wire.Code {
	var r refusal
	switch {
	case errors.As(err, &r):
		return r.code
	case errors.Is(err, ErrRefused), errors.Is(err, wire.ErrProtocol):
		return wire.CodeInvalid
	}
	return wire.CodeInternal
}

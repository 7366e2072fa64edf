package pool

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
)

// Kinds of failure that a caller can act upon; every Error wraps one of them.
var (
	ErrInvalid        = errors.New("invalid")
	ErrNotFound       = errors.New("not found")
	ErrExists         = errors.New("already exists")
	ErrQuota          = errors.New("quota exceeded")
	ErrState          = errors.New("invalid state")
	ErrUnavailable    = errors.New("runtime unavailable")
	ErrNotEnforceable = errors.New("not enforceable")
	ErrBusy           = errors.New("busy")
	ErrUnauthorized   = errors.New("unauthorized")
)

// Error is a failure for a person to read, apart from its cause, which is for
// the log.
type Error struct {
	Kind    error  // one of the sentinels above
	Field   string // the parameter at fault, if one is
	Message string // one sentence without a full stop
	Hint    string // what to do: a command or a sentence; may be empty
	Cause   error  // may be nil
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives the kind and the cause to errors.Is.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

func invalid(field, format string, args ...any) *Error {
	return &Error{Kind: ErrInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

func notFound(what string, number int64, name string) *Error {
	name = quote(name)
	if number != 0 {
		name = strconv.FormatInt(number, 10)
	}
	return &Error{Kind: ErrNotFound, Message: "there is no " + what + " " + name}
}

func isNotFound(err error) bool { return errors.Is(err, db.ErrNotFound) }

// quote shows what somebody typed, shortened: it may be anything.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}

// stored maps an error of the store.
func stored(err error) error {
	var quota *db.QuotaError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &quota) && quota.Scope == "user":
		return &Error{Kind: ErrQuota, Message: fmt.Sprintf("you have %d VMs already, which is the most a user may have", quota.Limit),
			Hint: "vm delete one that you no longer need; vm list shows them", Cause: err}
	case errors.As(err, &quota):
		return &Error{Kind: ErrQuota, Message: fmt.Sprintf("there are %d VMs already, which is the most this pool may have", quota.Limit),
			Hint: "try again when somebody has deleted one", Cause: err}
	case errors.Is(err, db.ErrGone):
		return &Error{Kind: ErrUnavailable, Message: "the database cannot be reached", Hint: "try again when it is back; vm doctor tells its state", Cause: err}
	default:
		return err
	}
}

// driven maps an error of a driver.
func driven(err error) error {
	kinds := []struct{ sentinel, kind error }{
		{runtime.ErrUnavailable, ErrUnavailable},
		{runtime.ErrNotEnforceable, ErrNotEnforceable},
		{runtime.ErrInvalidSpec, ErrInvalid},
		{runtime.ErrNotRunning, ErrState},
		{runtime.ErrNoMachine, ErrState},
		{runtime.ErrNoSnapshot, ErrNotFound},
	}
	for _, k := range kinds {
		if errors.Is(err, k.sentinel) {
			return &Error{Kind: k.kind, Message: runtime.Plain(err), Hint: runtime.Hint(err), Cause: err}
		}
	}
	return err
}

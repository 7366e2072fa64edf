package db

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// class of a database's own error: what it means, and whether trying again
// makes sense.
type class int

const (
	other    class = iota
	unmade         // a table is not there
	exists         // a unique constraint
	orphaned       // a foreign key: the row it points to is not there
	busy           // another process holds a lock; nothing was done
	raced          // lost against another transaction, and rolled back
	lost           // no connection, or it broke: what was done is unknown
)

// failure is an error for a person, in the words of a sentinel, with what the
// database said kept beneath for errors.As.
type failure struct {
	what   string // which call failed
	kind   error  // a sentinel
	reason string // may be empty; holds no SQL and no path
	cause  error  // may be nil
}

func (f *failure) Error() string {
	text := f.what + ": " + f.kind.Error()
	if f.reason != "" {
		text += ": " + f.reason
	}
	return text
}

func (f *failure) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

// errFailed: the database refused for a reason that no caller can act upon.
var errFailed = errors.New("database failure")

// fold turns whatever a database call returned into the store's errors. The
// store's own errors pass as they are, with the call's name before them.
func (s *store) fold(ctx context.Context, what string, err error) error {
	var quota *QuotaError
	switch {
	case errors.As(err, &quota):
		return quota
	case errors.Is(err, ErrTooNew):
		return err
	case errors.Is(err, ErrNotFound), errors.Is(err, sql.ErrNoRows):
		return &failure{what: what, kind: ErrNotFound}
	case errors.Is(err, ErrConflict):
		return &failure{what: what, kind: ErrConflict}
	case ctx.Err() != nil:
		return &failure{what: what, kind: ctx.Err(), cause: err}
	case expired(ctx):
		return &failure{what: what, kind: context.DeadlineExceeded, cause: err}
	}
	switch s.engine.classify(err) {
	case exists:
		return &failure{what: what, kind: ErrExists, cause: err}
	case orphaned:
		return &failure{what: what, kind: ErrNotFound, cause: err}
	case busy, raced, lost:
		return &failure{what: what, kind: ErrGone, reason: reason(err), cause: err}
	default:
		return &failure{what: what, kind: errFailed, reason: reason(err), cause: err}
	}
}

// expired reports whether ctx's deadline has passed: a driver that watches the
// deadline itself may notice before ctx does.
func expired(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// reason puts a driver's error in a few words that name neither SQL nor a path
// nor an address.
func reason(err error) string {
	var (
		errno   syscall.Errno
		server  pgdriver.Error
		network net.Error
	)
	switch {
	case errors.As(err, &server):
		return server.Field('M')
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "the connection was closed"
	case errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	}
	return sqliteReason(err)
}

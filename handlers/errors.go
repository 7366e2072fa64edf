package handlers

import (
	"context"
	"errors"

	"github.com/itechsmart/vm/runtime/pool"
)

// Codes of the wire contract; those above -32100 are its own, the others
// JSON-RPC's and LSP's.
const (
	CodeParseError       = -32700
	CodeInvalidRequest   = -32600
	CodeMethodNotFound   = -32601
	CodeInvalidParams    = -32602
	CodeInternal         = -32603
	CodeNotInitialized   = -32002
	CodeRequestCancelled = -32800

	codeNotFound           = -32010
	codeAlreadyExists      = -32011
	codeQuotaExceeded      = -32012
	codeInvalidState       = -32013
	codeRuntimeUnavailable = -32014
	codeNotEnforceable     = -32015
	codeBusy               = -32016
	codeUnauthorized       = -32017
)

// wire maps the pool's kinds of failure; the one place that does.
var wire = []struct {
	kind error
	code int64
	name string
}{
	{pool.ErrInvalid, CodeInvalidParams, "invalidParams"},
	{pool.ErrNotFound, codeNotFound, "notFound"},
	{pool.ErrExists, codeAlreadyExists, "alreadyExists"},
	{pool.ErrQuota, codeQuotaExceeded, "quotaExceeded"},
	{pool.ErrState, codeInvalidState, "invalidState"},
	{pool.ErrUnavailable, codeRuntimeUnavailable, "runtimeUnavailable"},
	{pool.ErrNotEnforceable, codeNotEnforceable, "notEnforceable"},
	{pool.ErrBusy, codeBusy, "busy"},
	{pool.ErrUnauthorized, codeUnauthorized, "unauthorized"},
}

// AsError is err in its wire form, for a person to read. What no kind is known
// for is an internal error whose cause belongs in the log, not on the wire.
func AsError(err error) *Error {
	var already *Error
	if errors.As(err, &already) {
		return already
	}
	if errors.Is(err, context.Canceled) {
		return &Error{Code: CodeRequestCancelled, Message: "the request was cancelled"}
	}
	var failure *pool.Error
	if errors.As(err, &failure) {
		for _, w := range wire {
			if errors.Is(failure.Kind, w.kind) {
				return &Error{Code: w.code, Message: failure.Message,
					Data: &ErrorData{Kind: w.name, Field: failure.Field, Hint: failure.Hint}}
			}
		}
	}
	return &Error{Code: CodeInternal, Message: "the server could not do this: " + err.Error(),
		Data: &ErrorData{Kind: "internal", Hint: "the server's log has more"}}
}

// ErrorKinds lists the kinds of error of the wire contract, for documentation.
func ErrorKinds() []Error {
	var kinds []Error
	for _, w := range wire {
		kinds = append(kinds, Error{Code: w.code, Data: &ErrorData{Kind: w.name}})
	}
	return kinds
}

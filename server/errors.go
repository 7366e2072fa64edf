package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sourcegraph/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/itechsmart/vm/handlers"
)

// codeBusy is the wire contract's: another operation is in the way.
const codeBusy = -32016

var (
	// errGone: the client can be neither written to nor heard any more.
	errGone = errors.New("the client is gone")
	// errCancelled is the cause of a context that the client cancelled.
	errCancelled = fmt.Errorf("%w by the client", context.Canceled)
	// errEnding is the cause of every context when the server has waited long enough.
	errEnding = fmt.Errorf("%w: %w", context.Canceled, handlers.ErrEnding)
)

// refusals, each the whole answer to a request.
var (
	notInitialized = &handlers.Error{Code: handlers.CodeNotInitialized, Message: "the server is not initialized: the first request must be initialize"}
	initializedYet = &handlers.Error{Code: handlers.CodeInvalidRequest, Message: "the server is initialized already"}
	isShutDown     = &handlers.Error{Code: handlers.CodeInvalidRequest, Message: "the server is shut down: only exit is left"}
	isEnding       = &handlers.Error{Code: handlers.CodeInvalidRequest, Message: "the server is ending and takes no more requests"}
	wasCancelled   = &handlers.Error{Code: handlers.CodeRequestCancelled, Message: "the request was cancelled"}
	wasEnded       = &handlers.Error{Code: handlers.CodeRequestCancelled, Message: "the request was cancelled because the server is ending"}
	isBusy         = &handlers.Error{Code: codeBusy, Message: "too many requests are waiting", Data: &handlers.ErrorData{
		Kind: "busy", Hint: "wait for some answers, then try again"}}
	hasFailed = &handlers.Error{Code: handlers.CodeInternal, Message: "internal error", Data: &handlers.ErrorData{
		Kind: "internal", Hint: "the server's log has more"}}
)

// failure says how the error of a request's handler goes over the wire.
func failure(ctx context.Context, err error) *handlers.Error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errCancelled):
		return wasCancelled
	case errors.Is(cause, errEnding) && errors.Is(err, context.Canceled):
		return wasEnded
	}
	return handlers.AsError(err)
}

// toWire converts an error for jsonrpc2.
func toWire(e *handlers.Error) *jsonrpc2.Error {
	wire := &jsonrpc2.Error{Code: e.Code, Message: e.Message}
	if e.Data != nil {
		// Three strings always encode.
		data, _ := protocol.Marshal(e.Data)
		wire.Data = rawPointer(data)
	}
	return wire
}

// fromWire converts what the client answered to a call.
func fromWire(wire *jsonrpc2.Error) *handlers.Error {
	e := &handlers.Error{Code: wire.Code, Message: wire.Message}
	if wire.Data != nil {
		var data handlers.ErrorData
		if json.Unmarshal(*wire.Data, &data) == nil && data != (handlers.ErrorData{}) {
			e.Data = &data
		}
	}
	return e
}

package server

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"

	"github.com/sourcegraph/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/itechsmart/vm/handlers"
)

// client is the handlers.Client of a connection.
type client struct {
	c    *connection
	last atomic.Uint64 // id of the last call
}

// Notify implements handlers.Client.
func (p *client) Notify(ctx context.Context, method string, params any) error {
	payload, err := p.prepare(ctx, params)
	if err != nil {
		return err
	}
	return p.goneOr(p.c.conn.Notify(ctx, method, nil, withPayload(payload)))
}

// Call implements handlers.Client. It fails when the input has ended, because
// no answer can come any more. When ctx ends, the client is told.
func (p *client) Call(ctx context.Context, method string, params, result any) error {
	payload, err := p.prepare(ctx, params)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.c.stream.ended, cancel)()

	id := jsonrpc2.ID{Num: p.last.Add(1)}
	call, err := p.c.conn.DispatchCall(waiting, method, nil, jsonrpc2.PickID(id), withPayload(payload))
	if err != nil {
		return p.goneOr(err)
	}
	var answer json.RawMessage
	err = call.Wait(waiting, &answer)
	var fault *jsonrpc2.Error
	switch {
	case errors.As(err, &fault):
		return fromWire(fault)
	case err != nil && ctx.Err() != nil:
		p.giveUp(id)
		return ctx.Err()
	case err != nil && p.c.stream.ended.Err() != nil:
		return errGone
	case err != nil:
		return p.goneOr(err)
	case result == nil:
		return nil
	}
	return protocol.Unmarshal(answer, result)
}

// prepare encodes params and reserves room for them.
func (p *client) prepare(ctx context.Context, params any) (json.RawMessage, error) {
	var payload json.RawMessage
	if params != nil {
		var err error
		if payload, err = encode(params); err != nil {
			return nil, err
		}
	}
	return payload, p.c.out.reserve(ctx, weigh(len(payload)))
}

// giveUp tells the client that nobody waits for an answer any more, if there is
// room to say so.
func (p *client) giveUp(id jsonrpc2.ID) {
	payload, err := encode(struct {
		ID uint64 `json:"id"`
	}{id.Num})
	if err == nil && p.c.out.tryReserve(weigh(len(payload))) == nil {
		_ = p.c.conn.Notify(context.Background(), protocol.MethodCancelRequest, nil, withPayload(payload))
	}
}

func (p *client) goneOr(err error) error {
	if errors.Is(err, jsonrpc2.ErrClosed) {
		return errGone
	}
	return err
}

var _ handlers.Client = (*client)(nil)

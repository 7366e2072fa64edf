package agent

import (
	"context"
	"errors"
	"time"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// errStopped is the guest's answer to a follower that wanted no more.
var errStopped = errors.New("following stopped")

// killPatience is how long a cancelled Run waits for the guest's last word.
const killPatience = 5 * time.Second

// Run starts a run and follows it to its end. When ctx ends first the run is
// killed with Cancelled; its Result is then still returned, with a nil error,
// unless the guest does not answer within a few seconds. When the stream breaks,
// the run goes on in the VM: Follow finds it over another stream.
//
// A nil sink follows without output: the record alone has it.
func (c *Client) Run(ctx context.Context, run Run, sink Sink) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	call, err := c.send(wire.Run, detached(run))
	if err != nil {
		return Result{}, err
	}
	result, err := c.follow(ctx, call, sink)
	if err == nil || ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		return result, err
	}
	// By channel, not by ID: a run refused with ErrExists is not ours to kill.
	if err := c.conn.Send(wire.Cancel, call.channel, nil); err != nil {
		c.fail(err)
		return Result{}, c.cause()
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), killPatience)
	defer cancel()
	return c.follow(late, call, sink)
}

// Follow replays a run's output from its beginning, as far as the record has it,
// goes on live, and returns when the run ends. When ctx ends first it stops
// following, which the run does not notice. Several may follow one run; the
// slowest of them presses back on the program.
func (c *Client) Follow(ctx context.Context, id string, sink Sink) (Result, error) {
	call, err := c.send(wire.Follow, &wire.Order{ID: id})
	if err != nil {
		return Result{}, err
	}
	result, err := c.follow(ctx, call, sink)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		c.stop(ctx, call)
	}
	return result, err
}

// stop tells the guest that a call is followed no more, and takes what was on
// its way.
func (c *Client) stop(ctx context.Context, call *call) {
	if err := c.conn.Send(wire.Stop, call.channel, nil); err != nil {
		return
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), killPatience)
	defer cancel()
	c.follow(late, call, nil)
}

// follow gives output to the sink, credit to the guest, and returns the answer.
// It may be called again for a call that ctx ended.
func (c *Client) follow(ctx context.Context, call *call, sink Sink) (Result, error) {
	for {
		select {
		case <-call.arrived:
			if err := c.consume(call, sink); err != nil {
				return Result{}, err
			}
		case <-call.answered:
			if err := c.consume(call, sink); err != nil {
				return Result{}, err
			}
			var result Result
			err := call.answer(&result)
			return result, err
		case <-c.done:
			return Result{}, c.cause()
		case <-ctx.Done():
			return Result{}, ctx.Err()
		}
	}
}

// consume gives what has come to the sink, and credit back to the guest: in a
// few large pieces rather than frame by frame.
func (c *Client) consume(call *call, sink Sink) error {
	for _, f := range call.take() {
		if sink != nil && len(f.Payload) > 0 {
			sink(streamOf(f.Kind), f.Payload)
		}
		n := call.consumed(wire.Cost(len(f.Payload)))
		if n == 0 {
			continue
		}
		if err := c.conn.SendCredit(call.channel, n); err != nil {
			c.fail(err)
			return c.cause()
		}
	}
	return nil
}

func streamOf(kind wire.Kind) Stream {
	if kind == wire.Stderr {
		return Stderr
	}
	return Stdout
}

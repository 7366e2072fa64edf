package agent

import (
	"fmt"
	"sync"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// maxText bounds a reply that has no bulk: decoded, JSON takes many times the
// memory that it has as text.
const maxText = 256 << 10

// call is one request under way and, when it follows a run, the output that has
// come and was not given to the sink yet.
type call struct {
	channel  uint32
	answered chan struct{} // closed when reply is there
	arrived  chan struct{} // holds one token while there may be output

	mu     sync.Mutex // guards what follows
	reply  wire.Frame
	output []wire.Frame
	credit int // what the guest may still send; negative is a violation
	owed   int // given to the sink, and not yet back to the guest as credit
}

func newCall(channel uint32) *call {
	return &call{
		channel:  channel,
		answered: make(chan struct{}),
		arrived:  make(chan struct{}, 1),
		credit:   wire.Window,
	}
}

// deliver takes a frame from the reader. It does not block.
func (c *call) deliver(f wire.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch f.Kind {
	case wire.Reply, wire.Failure:
		c.reply = f
		close(c.answered)
	case wire.Stdout, wire.Stderr:
		if c.credit -= wire.Cost(len(f.Payload)); c.credit < 0 {
			return fmt.Errorf("%w: output beyond its credit", wire.ErrProtocol)
		}
		c.output = append(c.output, f)
		select {
		case c.arrived <- struct{}{}:
		default:
		}
	default:
		return fmt.Errorf("%w: frame of kind %d from a guest", wire.ErrProtocol, f.Kind)
	}
	return nil
}

// take returns the output that is there.
func (c *call) take() []wire.Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	output := c.output
	c.output = nil
	return output
}

// consumed notes that output of that cost was given to the sink. It returns the
// credit that is to be sent now, or 0 while it is little.
func (c *call) consumed(cost int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owed += cost; c.owed < wire.Window/4 {
		return 0
	}
	n := c.owed
	c.owed = 0
	c.credit += n
	return n
}

// answer decodes the reply into v, unless that is nil, or returns its error.
func (c *call) answer(v any) error {
	if c.reply.Kind == wire.Failure {
		var refusal wire.Refusal
		if err := wire.Unmarshal(c.reply.Payload, &refusal); err != nil {
			return fmt.Errorf("agent: %w", err)
		}
		return failure(refusal)
	}
	if v == nil {
		return nil
	}
	if _, bulky := v.(wire.Bulky); !bulky && len(c.reply.Payload) > maxText {
		return fmt.Errorf("agent: %w: reply of %d bytes", wire.ErrProtocol, len(c.reply.Payload))
	}
	if err := wire.Unmarshal(c.reply.Payload, v); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

func failure(r wire.Refusal) error {
	switch r.Code {
	case wire.CodeExists:
		return fmt.Errorf("agent: %w: %s", ErrExists, r.Message)
	case wire.CodeNotFound:
		return fmt.Errorf("agent: %w: %s", ErrNotFound, r.Message)
	case wire.CodeInvalid:
		return &InvalidError{Reason: r.Message}
	case wire.CodeStopped:
		return errStopped
	}
	return fmt.Errorf("agent: %s", r.Message)
}

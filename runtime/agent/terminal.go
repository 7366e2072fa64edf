package agent

import (
	"context"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// Window is the size of a terminal in characters.
type Window struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// Resize tells a run with a terminal that its window has changed; its foreground
// program gets SIGWINCH. It fails with ErrInvalid where there is no terminal; a
// run that has ended needs no size.
func (c *Client) Resize(ctx context.Context, id string, window Window) error {
	return c.request(ctx, wire.Resize, &wire.Order{ID: id, Rows: window.Rows, Cols: window.Cols}, nil)
}

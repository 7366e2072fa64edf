package native

import (
	"context"
	"fmt"
	"os"

	"github.com/itechsmart/vm/runtime/native/sandbox"
)

// errand has something done among files that belong to a machine's ids, by the
// guest program in a user namespace that has them. It returns its answer to
// Measure.
func (d *Driver) errand(ctx context.Context, plan sandbox.Plan) (int64, error) {
	h, err := d.host()
	if err != nil {
		return 0, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = null.Close() }()
	agent, err := os.Open(h.agent)
	if err != nil {
		return 0, fmt.Errorf("open the guest program: %w", err)
	}
	defer func() { _ = agent.Close() }()
	plan.BecomeRoot = h.identity.manyIDs
	helper, err := launch{identity: h.identity, agent: agent, plan: plan, listener: null, stop: null, console: null}.start()
	if err != nil {
		return 0, err
	}
	var bytes int64
	err = helper.proceed(ctx, h.identity, func(m sandbox.Message) { bytes = m.Bytes })
	return bytes, err
}

package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/egress"
)

// Refusals are told at most so often: a program may ask for the same host, or
// for ever new ones, as fast as it can.
const (
	refusalWindow = time.Minute
	maxRefusals   = 20 // events of one VM in a window, each for another target
)

// exit is the way out of one VM through this process.
type exit struct {
	pool   *Pool
	vm     db.VirtualMachine
	dialer egress.Dialer

	mu     sync.Mutex // guards what follows
	since  time.Time  // beginning of the window
	told   map[string]bool
	untold int // refusals since the last event that were not told
}

// offerExit lets the programs of a VM with an allowlist reach what is on it
// through this process, as long as the connection lasts.
func (p *Pool) offerExit(vm db.VirtualMachine, client *agent.Client) error {
	if vm.Network.Mode != runtime.NetworkAllowlist {
		return nil
	}
	policy, err := egress.Parse(vm.Network.Allow)
	if err != nil {
		return fmt.Errorf("the allowlist of VM %s: %w", vm.Name, err)
	}
	e := &exit{pool: p, vm: vm, dialer: egress.Dialer{Policy: policy, Lookup: p.lookup}}
	return client.OfferDial(e.dial)
}

// dial is the agent.DialFunc of the exit.
func (e *exit) dial(ctx context.Context, host string, port int) (net.Conn, error) {
	conn, err := e.dialer.Dial(ctx, host, port)
	if err == nil {
		return conn, nil
	}
	var refusal *egress.Refusal
	refused := errors.As(err, &refusal)
	if refused {
		e.tell(refusal)
	} else if ctx.Err() == nil {
		e.pool.log.Info("a VM's connection failed", "vm", e.vm.Name, "host", host, "port", port, "error", errors.Unwrap(err))
	}
	return nil, &agent.DialError{Reason: err.Error(), Refused: refused}
}

// tell makes an event of a refusal.
func (e *exit) tell(r *egress.Refusal) {
	untold, worth := e.admit(net.JoinHostPort(r.Host, strconv.Itoa(r.Port)), time.Now())
	if !worth || e.pool.background.Err() != nil {
		return
	}
	data := map[string]any{"host": r.Host, "port": r.Port}
	if untold > 0 {
		data["untold"] = untold
	}
	e.pool.event(e.pool.background, e.vm, "warning", "network.refused",
		fmt.Sprintf("VM %s wanted to reach a host and was refused: %s", e.vm.Name, r.Reason), data)
}

// admit reports whether a refusal is worth an event, and how many were not since
// the last one that was.
func (e *exit) admit(target string, at time.Time) (untold int, worth bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if at.Sub(e.since) >= refusalWindow {
		e.since, e.told = at, map[string]bool{}
	}
	if e.told[target] || len(e.told) >= maxRefusals {
		e.untold++
		return 0, false
	}
	e.told[target] = true
	untold, e.untold = e.untold, 0
	return untold, true
}

package pool

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
)

// Execution reads one from the history, or one that runs.
func (t *Tenant) Execution(ctx context.Context, id int64) (db.Execution, error) {
	e, err := t.store.Execution(ctx, id)
	switch {
	case isNotFound(err):
		return e, notFound("execution", id, "")
	case err != nil:
		return e, stored(err)
	case e.UserID != t.user.ID:
		return e, &Error{Kind: ErrUnauthorized, Message: "this execution belongs to another user"}
	}
	return e, nil
}

// Executions reads the history, newest first: of one VM (0 = all), before an
// execution (0 = from the newest).
func (t *Tenant) Executions(ctx context.Context, vmID, before int64, limit int) ([]db.Execution, error) {
	list, err := t.store.Executions(ctx, t.user.ID, vmID, before, limit)
	return list, stored(err)
}

// Attach replays an execution's output, follows it to its end and returns it.
// When ctx ends first, the execution goes on.
func (t *Tenant) Attach(ctx context.Context, id int64, o Observer) (db.Execution, error) {
	e, err := t.Execution(ctx, id)
	if err != nil {
		return e, err
	}
	if o.Started != nil {
		o.Started(e)
	}
	if e.Verdict != string(agent.Running) {
		return replay(e, o.Output), nil
	}
	vm, client, err := t.reach(ctx, e)
	if err != nil {
		return t.finishBroken(ctx, e, err)
	}
	result, err := client.Follow(ctx, runID(id), o.Output)
	switch {
	case ctx.Err() != nil:
		return e, ctx.Err()
	case errors.Is(err, agent.ErrNotFound):
		// Its follower recorded it meanwhile and let the agent forget it.
		if e, err = t.Execution(ctx, id); err == nil && e.Verdict != string(agent.Running) {
			return replay(e, o.Output), nil
		}
		return t.finishBroken(ctx, e, agent.ErrNotFound)
	case err != nil:
		return t.follow(ctx, vm, client, e, nil)
	}
	return t.finish(ctx, client, e, result)
}

// replay writes a finished execution's record.
func replay(e db.Execution, sink agent.Sink) db.Execution {
	if sink != nil && len(e.Output) > 0 {
		sink(agent.Stdout, e.Output)
	}
	if sink != nil && len(e.Error) > 0 {
		sink(agent.Stderr, e.Error)
	}
	return e
}

// reach connects to the agent that has an execution.
func (t *Tenant) reach(ctx context.Context, e db.Execution) (db.VirtualMachine, *agent.Client, error) {
	vm, err := t.store.VM(ctx, e.VMID)
	if err != nil {
		return vm, nil, stored(err)
	}
	client, err := t.agents.get(ctx, vm)
	return vm, client, err
}

// running finds an execution that can still be spoken to.
func (t *Tenant) running(ctx context.Context, id int64) (*agent.Client, error) {
	e, err := t.Execution(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.Verdict != string(agent.Running) {
		return nil, ended(id)
	}
	_, client, err := t.reach(ctx, e)
	if err != nil {
		return nil, driven(err)
	}
	return client, nil
}

func ended(id int64) error {
	return &Error{Kind: ErrState, Field: "executionId", Message: "execution " + runID(id) + " has ended", Hint: "vm attach " + runID(id) + " shows its output"}
}

// Input continues an execution's standard input and closes it with eof.
func (t *Tenant) Input(ctx context.Context, id int64, data []byte, eof bool) error {
	client, err := t.running(ctx, id)
	if err != nil {
		return err
	}
	err = client.Input(ctx, runID(id), data, eof)
	if errors.Is(err, agent.ErrNotFound) {
		return ended(id)
	}
	return err
}

// signals that may be sent, by name. SIGKILL ends the whole tree.
var signals = []string{"SIGINT", "SIGTERM", "SIGKILL", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGSTOP", "SIGCONT", "SIGTSTP", "SIGWINCH"}

// Signal sends a signal to an execution's program.
func (t *Tenant) Signal(ctx context.Context, id int64, name string) error {
	if !slices.Contains(signals, name) {
		return invalid("signal", "%s is not a signal that can be sent: it is one of %s", quote(name), strings.Join(signals, ", "))
	}
	client, err := t.running(ctx, id)
	if err != nil {
		return err
	}
	if name == "SIGKILL" {
		err = client.Kill(ctx, runID(id), agent.Cancelled)
	} else {
		err = client.Signal(ctx, runID(id), name)
	}
	if errors.Is(err, agent.ErrNotFound) {
		return ended(id)
	}
	return err
}

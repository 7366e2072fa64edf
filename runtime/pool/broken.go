package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

// open connects to the agent in a VM.
func (p *Pool) open(ctx context.Context, vm db.VirtualMachine) (*agent.Client, error) {
	driver, err := p.driver(vm.Runtime)
	if err != nil {
		return nil, err
	}
	if vm.Status != db.Running {
		return nil, inState(vm)
	}
	stream, err := driver.Open(ctx, p.ref(vm))
	if err != nil {
		return nil, err
	}
	client, err := agent.NewClient(stream)
	if err != nil {
		_ = stream.Close() // of no use without its agent
		return nil, fmt.Errorf("the agent in VM %s does not answer: %w", vm.Name, err)
	}
	if err := p.offerExit(vm, client); err != nil {
		_ = client.Close()
		return nil, err
	}
	return client, nil
}

// unreachable explains why a VM's agent could not be reached, and brings the
// row into step with the engine when its machine has ended by itself.
func (p *Pool) unreachable(ctx context.Context, vm db.VirtualMachine, cause error) error {
	var known *Error
	if errors.As(cause, &known) {
		return known
	}
	if errors.Is(cause, runtime.ErrNotRunning) || errors.Is(cause, runtime.ErrNoMachine) {
		return inState(p.observed(ctx, vm))
	}
	return driven(cause)
}

// observed brings a running VM's row into step with what the engine says.
func (p *Pool) observed(ctx context.Context, vm db.VirtualMachine) db.VirtualMachine {
	driver, err := p.driver(vm.Runtime)
	if err != nil {
		return vm
	}
	machine, err := driver.Inspect(ctx, p.ref(vm))
	if err != nil && !errors.Is(err, runtime.ErrNoMachine) {
		return vm // an engine that does not answer says nothing about the machine
	}
	if err == nil && machine.State == runtime.Running {
		return vm
	}
	status, reason := observe(ctx, driver, p.ref(vm))
	row, err := p.store.UpdateVM(ctx, vm.ID, []db.Status{db.Running}, func(vm *db.VirtualMachine) error {
		vm.Status, vm.Error, vm.StoppedAt = status, reason, now()
		return nil
	})
	if err != nil {
		return row
	}
	p.agents.drop(vm.ID)
	p.event(ctx, row, "warning", "vm.ended", fmt.Sprintf("VM %s ended by itself", row.Name), nil)
	return row
}

// notBegun explains why an execution could not be recorded as begun.
func (p *Pool) notBegun(ctx context.Context, vm db.VirtualMachine, err error) error {
	if isNotFound(err) {
		return notFound("VM", vm.ID, "")
	}
	if errors.Is(err, db.ErrConflict) {
		if row, err := p.store.VM(ctx, vm.ID); err == nil {
			return inState(row)
		}
		return notFound("VM", vm.ID, "")
	}
	return stored(err)
}

// finishBroken records an execution whose agent cannot be asked any more.
func (p *Pool) finishBroken(ctx context.Context, e db.Execution, cause error) (db.Execution, error) {
	ctx = context.WithoutCancel(ctx)
	e.Verdict, e.EndedAt, e.ExitCode = verdictLost, now(), -1
	vm, err := p.store.VM(ctx, e.VMID)
	if err == nil && vm.Status == db.Running {
		vm = p.observed(ctx, vm)
	}
	if err != nil || vm.Status != db.Running {
		e.Verdict = verdictVMStopped
	}
	if vm.StoppedAt.After(e.ExecutedAt) {
		e.EndedAt = vm.StoppedAt
	}
	e.ExecutionTime = e.EndedAt.Sub(e.ExecutedAt).Seconds()
	p.log.Warn("an execution's agent went away", "execution", e.ID, "vm", e.VMName, "verdict", e.Verdict, "error", cause)
	return p.record(ctx, e, func() {})
}

// notStarted records an execution that its agent did not start: because its
// files or its working directory could not be made, or because the agent is gone.
func (p *Pool) notStarted(ctx context.Context, e db.Execution, cause error) (db.Execution, error) {
	var refused *agent.InvalidError
	if !errors.As(cause, &refused) {
		return p.finishBroken(ctx, e, cause)
	}
	e.EndedAt, e.Verdict, e.ExitCode = now(), string(agent.Exited), exitCannotRun
	e.Error = []byte(refused.Reason + "\n")
	e, err := p.record(context.WithoutCancel(ctx), e, func() {})
	if err != nil {
		return e, err
	}
	hint := "choose folders that the VM's user may write to, such as /home/sandbox or /tmp"
	switch {
	case e.Language == lang.System:
		hint = "packages of the system are installed by a VM's root, which a VM of an image has"
	case e.Session != "":
		hint = "vm sessions " + e.VMName + " lists its sessions, and closes one with --close"
	}
	return e, &Error{Kind: ErrInvalid, Message: "the code could not be run: " + refused.Reason, Hint: hint, Cause: cause}
}

// finishMissing records that a VM lacks the toolchain, and returns the error
// that says where it is to be had.
func (p *Pool) finishMissing(ctx context.Context, client *agent.Client, e db.Execution, missing error) (db.Execution, error) {
	if len(e.Error) == 0 {
		e.Error = []byte(missing.Error() + "\n")
	}
	e.ExitCode = exitNotFound
	e, err := p.record(ctx, e, func() { _ = client.Forget(ctx, runID(e.ID)) })
	if err != nil {
		return e, err
	}
	return e, driven(missing)
}

// Exit codes of a shell that cannot run a program, or has none of that name (POSIX).
const (
	exitCannotRun = 126
	exitNotFound  = 127
)

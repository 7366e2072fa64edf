package pool

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
)

const (
	// MaxReadFile is the largest file that ReadFile reads.
	MaxReadFile = 16 << 20
	// MaxListFiles is how many files ListFiles lists at most.
	MaxListFiles = 10_000
	// fileTimeout bounds what is done with one file.
	fileTimeout = time.Minute
)

// ReadFile reads a regular file of a VM, with the rights of the VM's user.
// Relative paths are below that user's home.
func (t *Tenant) ReadFile(ctx context.Context, vm db.VirtualMachine, path string) (agent.FileInfo, []byte, error) {
	var info agent.FileInfo
	var data []byte
	err := t.onFile(ctx, vm, path, func(ctx context.Context, client *agent.Client, run agent.Run) (err error) {
		info, data, err = client.ReadFile(ctx, run, path, MaxReadFile)
		return err
	})
	return info, data, err
}

// WriteFile writes a file of a VM, with missing folders made. Mode 0 keeps that
// of a file that is there; a new one gets 0644.
func (t *Tenant) WriteFile(ctx context.Context, vm db.VirtualMachine, path string, data []byte, mode uint32) error {
	return t.onFile(ctx, vm, path, func(ctx context.Context, client *agent.Client, run agent.Run) error {
		return client.WriteFile(ctx, run, path, data, mode)
	})
}

// ListFiles lists a folder of a VM; "" is the home of the VM's user.
func (t *Tenant) ListFiles(ctx context.Context, vm db.VirtualMachine, path string) (agent.Listing, error) {
	if path == "" {
		path = "."
	}
	var list agent.Listing
	err := t.onFile(ctx, vm, path, func(ctx context.Context, client *agent.Client, run agent.Run) (err error) {
		list, err = client.ListFiles(ctx, run, path, MaxListFiles)
		return err
	})
	return list, err
}

// DeleteFile removes a file or link of a VM, or, with recursive, a folder and
// all that is in it.
func (t *Tenant) DeleteFile(ctx context.Context, vm db.VirtualMachine, path string, recursive bool) error {
	return t.onFile(ctx, vm, path, func(ctx context.Context, client *agent.Client, run agent.Run) error {
		return client.RemoveFile(ctx, run, path, recursive)
	})
}

// onFile connects to a VM's agent and has it do something at a path, as a run of
// its own.
func (t *Tenant) onFile(ctx context.Context, vm db.VirtualMachine, path string, do func(context.Context, *agent.Client, agent.Run) error) error {
	if path == "" || strings.ContainsRune(path, 0) {
		return invalid("path", "%s is not a path", quote(path))
	}
	client, err := t.agents.get(ctx, vm)
	if err != nil {
		return t.unreachable(ctx, vm, err)
	}
	t.used(ctx, vm)
	run := agent.Run{ID: "files-" + rand.Text(), Timeout: fileTimeout}
	hold(&run, vm)
	stopWatching := t.watchDisk(ctx, vm, client, run.ID)
	defer stopWatching()
	err = do(ctx, client, run)
	if errors.Is(err, agent.ErrClosed) {
		return t.unreachable(ctx, vm, err)
	}
	return fileFailure(vm, err)
}

// usedEvery is how exact the record of a VM's last use is.
const usedEvery = 10 * time.Second

// used notes that a VM is in use, so that it is not stopped as idle.
func (p *Pool) used(ctx context.Context, vm db.VirtualMachine) {
	if now().Sub(vm.LastUsedAt) >= usedEvery {
		p.inUse(ctx, vm)
	}
}

// inUse is used, whatever was noted last.
func (p *Pool) inUse(ctx context.Context, vm db.VirtualMachine) {
	_, err := p.store.UpdateVM(ctx, vm.ID, []db.Status{db.Running}, func(vm *db.VirtualMachine) error {
		vm.LastUsedAt = now()
		return nil
	})
	if err != nil && ctx.Err() == nil {
		p.log.Warn("cannot record the use of a VM", "vm", vm.Name, "error", err)
	}
}

// fileFailure maps what an agent says of a file.
func fileFailure(vm db.VirtualMachine, err error) error {
	var failure *agent.FileError
	if !errors.As(err, &failure) {
		return err
	}
	e := &Error{Kind: ErrInvalid, Field: "path", Message: failure.Reason, Cause: err}
	switch failure.Code {
	case agent.FileNotFound:
		e.Kind, e.Hint = ErrNotFound, "vm ls "+vm.Name+" lists the files of the VM user's home"
	case agent.FileDenied:
		e.Hint = "the VM's user may do this in its home and in /tmp"
	case agent.FileTooLarge:
		e.Message += ", more than can be read at once"
		e.Hint = "vm cp copies files of any size"
	case agent.FileNotEmpty:
		e.Hint = "recursive removes it with all that is in it"
	case agent.FileUnfit:
		e.Hint = "regular files alone can be read and written"
	case agent.FileNoSpace, agent.FileNoProcess:
		e.Kind, e.Field, e.Hint = ErrState, "", "end what runs in the VM, remove files, or make a VM with a higher limit"
	}
	return e
}

package pool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

// Kinds of snapshots.
const (
	snapshotManual = "manual"
	snapshotAuto   = "auto" // taken before an execution
)

// Snapshot keeps a VM's files, of one that runs or is stopped. Name may be empty.
func (t *Tenant) Snapshot(ctx context.Context, vm db.VirtualMachine, name, comment string, progress runtime.Progress) (db.Snapshot, error) {
	if err := checkSnapshotName(name); err != nil {
		return db.Snapshot{}, err
	}
	if _, err := t.findSnapshot(ctx, vm, 0, name); err == nil && name != "" {
		return db.Snapshot{}, &Error{Kind: ErrExists, Field: "name", Message: fmt.Sprintf("VM %s has a snapshot %s already", vm.Name, quote(name)),
			Hint: "choose another name"}
	}
	s := db.Snapshot{VMID: vm.ID, Name: name, Comment: comment, Kind: snapshotManual}
	if err := t.takeSnapshot(ctx, vm, &s, false, progress); err != nil {
		return s, err
	}
	t.event(ctx, vm, "info", "vm.snapshot", fmt.Sprintf("snapshot %s of VM %s was taken", s.Name, vm.Name), map[string]any{"snapshotId": s.ID})
	return s, nil
}

// takeSnapshot has the driver take a snapshot and records it. Who dies in
// between has left one without a row, which recovery removes.
func (p *Pool) takeSnapshot(ctx context.Context, vm db.VirtualMachine, s *db.Snapshot, atOnce bool, progress runtime.Progress) error {
	vm, driver, err := p.claimSnapshotter(ctx, vm, db.Snapshotting)
	if err != nil {
		return err
	}
	ref := p.ref(vm)
	s.Reference = strings.ToLower(rand.Text())
	s.SizeBytes, err = driver.Snapshot(ctx, ref, s.Reference, atOnce, progress)
	lasting := context.WithoutCancel(ctx)
	if err == nil {
		if err = p.store.AddSnapshot(lasting, s); err != nil {
			err = errors.Join(stored(err), driver.DeleteSnapshot(lasting, ref, s.Reference))
		}
	}
	switch {
	case err != nil:
	case s.Kind == snapshotAuto:
		err = p.pruneCheckpoints(lasting, vm, driver, *s)
	default:
		// An engine may have ended what a dead process had asked it for only after
		// everything was put in order.
		err = p.dropUnrecorded(lasting, vm, driver)
	}
	if err != nil {
		_, err = p.settleAs(ctx, vm, driver, err)
		return err
	}
	_, err = p.settleAsBefore(lasting, vm, driver)
	return err
}

// snapshotter is a driver that takes snapshots.
type snapshotter interface {
	runtime.Driver
	runtime.Snapshotter
}

// snapshots returns a VM's driver, when it takes snapshots here.
func (p *Pool) snapshots(ctx context.Context, vm db.VirtualMachine) (snapshotter, runtime.SnapshotCost, error) {
	driver, err := p.driver(vm.Runtime)
	if err != nil {
		return nil, "", err
	}
	features, err := driver.Probe(ctx)
	if err != nil {
		return nil, "", driven(err)
	}
	if s, is := driver.(snapshotter); is && features.Snapshots != "" {
		return s, features.Snapshots, nil
	}
	return nil, "", &Error{Kind: ErrUnavailable, Message: "the runtime " + vm.Runtime + " takes no snapshots here",
		Hint: "vm doctor says what each runtime can do"}
}

// claimSnapshotter claims a VM that runs or is stopped, for a change of its
// snapshots.
func (p *Pool) claimSnapshotter(ctx context.Context, vm db.VirtualMachine, to db.Status) (db.VirtualMachine, snapshotter, error) {
	driver, _, err := p.snapshots(ctx, vm)
	if err != nil {
		return vm, nil, err
	}
	vm, _, err = p.claim(ctx, vm, to, db.Running, db.Stopped)
	return vm, driver, err
}

// settleAsBefore ends a claim that has changed nothing of whether a VM runs.
func (p *Pool) settleAsBefore(ctx context.Context, vm db.VirtualMachine, driver runtime.Driver) (db.VirtualMachine, error) {
	status, reason := observe(ctx, driver, p.ref(vm))
	return p.settle(ctx, vm, status, func(vm *db.VirtualMachine) { vm.Error = reason })
}

var snapshotNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

func checkSnapshotName(name string) error {
	if name == "" {
		return nil
	}
	if _, err := strconv.Atoi(name); err == nil || !snapshotNames.MatchString(name) {
		e := invalid("name", "%s is no name of a snapshot", quote(name))
		e.Hint = "letters, digits, dot, dash and underscore, at most 63, beginning with a letter or digit, and not a number"
		return e
	}
	return nil
}

// Snapshots lists those of a VM (0 = of all of the user's), oldest first.
func (t *Tenant) Snapshots(ctx context.Context, vmID int64) ([]db.Snapshot, error) {
	list, err := t.store.Snapshots(ctx, t.user.ID, vmID)
	return list, stored(err)
}

// FindSnapshot finds a VM's snapshot by its number, or by name when number is 0.
func (t *Tenant) FindSnapshot(ctx context.Context, vm db.VirtualMachine, number int64, name string) (db.Snapshot, error) {
	return t.findSnapshot(ctx, vm, number, name)
}

// SnapshotByID finds a snapshot with the VM that it is of.
func (t *Tenant) SnapshotByID(ctx context.Context, id int64) (db.VirtualMachine, db.Snapshot, error) {
	s, err := t.store.Snapshot(ctx, id)
	if isNotFound(err) {
		return db.VirtualMachine{}, s, notFound("snapshot", id, "")
	}
	if err != nil {
		return db.VirtualMachine{}, s, stored(err)
	}
	vm, err := t.Get(ctx, s.VMID, "")
	return vm, s, err
}

func (p *Pool) findSnapshot(ctx context.Context, vm db.VirtualMachine, number int64, name string) (db.Snapshot, error) {
	list, err := p.store.Snapshots(ctx, vm.UserID, vm.ID)
	if err != nil {
		return db.Snapshot{}, stored(err)
	}
	for _, s := range list {
		if s.ID == number || number == 0 && s.Name == name {
			return s, nil
		}
	}
	e := notFound("snapshot", number, name)
	e.Message += " of VM " + vm.Name
	e.Hint = "vm snapshots " + vm.Name + " lists them"
	return db.Snapshot{}, e
}

// DeleteSnapshot removes a snapshot; others stay whole.
func (t *Tenant) DeleteSnapshot(ctx context.Context, vm db.VirtualMachine, s db.Snapshot) error {
	if err := t.dropSnapshot(ctx, vm, s); err != nil {
		return err
	}
	t.event(ctx, vm, "info", "vm.snapshotDeleted", fmt.Sprintf("snapshot %s of VM %s was deleted", s.Name, vm.Name), nil)
	return nil
}

func (p *Pool) dropSnapshot(ctx context.Context, vm db.VirtualMachine, s db.Snapshot) error {
	vm, driver, err := p.claimSnapshotter(ctx, vm, db.Snapshotting)
	if err != nil {
		return err
	}
	lasting := context.WithoutCancel(ctx)
	if err := p.drop(lasting, vm, driver, s); err != nil {
		_, err = p.settleAs(ctx, vm, driver, err)
		return err
	}
	_, err = p.settleAsBefore(lasting, vm, driver)
	return err
}

// drop removes a snapshot of a VM that is held. The row goes first: a snapshot
// that is on its way out cannot be restored, and what is left when this process
// dies is recovered.
func (p *Pool) drop(ctx context.Context, vm db.VirtualMachine, driver runtime.Snapshotter, s db.Snapshot) error {
	if err := p.store.DeleteSnapshot(ctx, s.ID); err != nil && !isNotFound(err) {
		return stored(err)
	}
	return driver.DeleteSnapshot(ctx, p.ref(vm), s.Reference)
}

// endPatience is how long executions have to be recorded that a restoration ends.
const endPatience = 5 * time.Second

// Restore gives a VM the files of a snapshot and starts it. What runs in it ends
// with the verdict vmStopped.
func (t *Tenant) Restore(ctx context.Context, vm db.VirtualMachine, s db.Snapshot) (db.VirtualMachine, error) {
	vm, err := t.restore(ctx, vm, s)
	if err == nil {
		t.event(ctx, vm, "warning", "vm.restored", fmt.Sprintf("VM %s was put back to snapshot %s", vm.Name, s.Name), map[string]any{"snapshotId": s.ID})
	}
	return vm, err
}

func (p *Pool) restore(ctx context.Context, vm db.VirtualMachine, s db.Snapshot) (db.VirtualMachine, error) {
	vm, driver, err := p.claimSnapshotter(ctx, vm, db.Restoring)
	if err != nil {
		return vm, err
	}
	p.endExecutions(ctx, vm, driver)
	machine, err := driver.Restore(ctx, p.ref(vm), s.Reference)
	p.agents.drop(vm.ID)
	if err != nil {
		return p.settleAs(ctx, vm, driver, err)
	}
	p.recordEnded(ctx, vm)
	return p.settle(ctx, vm, db.Running, func(vm *db.VirtualMachine) {
		vm.ContainerID, vm.IP, vm.Enforcement = machine.ID, machine.IP, machine.Enforcement
		vm.StartedAt, vm.LastUsedAt, vm.Error, vm.Snapshot = now(), now(), "", s.ID
	})
}

// endExecutions ends what runs in a VM that this process holds, and waits until
// its followers, in whatever process, have recorded what it printed.
func (p *Pool) endExecutions(ctx context.Context, vm db.VirtualMachine, driver runtime.Driver) {
	ctx, cancel := context.WithTimeout(ctx, endPatience)
	defer cancel()
	running, err := p.store.RunningExecutions(ctx, vm.ID)
	if err != nil || len(running) == 0 {
		return
	}
	stream, err := driver.Open(ctx, p.ref(vm))
	if err != nil {
		return
	}
	client, err := agent.NewClient(stream)
	if err != nil {
		return
	}
	defer func() { _ = client.Close() }()
	for _, e := range running {
		_ = client.Kill(ctx, runID(e.ID), agent.Cancelled) // it may have just ended
	}
	const poll = 2 * time.Millisecond
	for len(running) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(poll):
		}
		if running, err = p.store.RunningExecutions(ctx, vm.ID); err != nil {
			return
		}
	}
}

// recordEnded records the executions that a restoration has ended and that nobody
// follows. The VM must be held.
func (p *Pool) recordEnded(ctx context.Context, vm db.VirtualMachine) {
	running, err := p.store.RunningExecutions(ctx, vm.ID)
	for _, e := range running {
		_, err = p.finishBroken(ctx, e, errPutBack)
	}
	if err != nil {
		p.log.Error("cannot record executions that have ended", "vm", vm.Name, "error", err)
	}
}

var errPutBack = errors.New("the VM was put back to a snapshot")

// mendSnapshots ends what a dead process was doing to a VM's snapshots: the
// machine is put right, and a snapshot without a row is removed.
func (p *Pool) mendSnapshots(ctx context.Context, vm db.VirtualMachine, driver runtime.Driver) {
	s, is := driver.(snapshotter)
	if !is {
		return
	}
	err := s.Mend(ctx, p.ref(vm))
	if err == nil {
		err = p.dropUnrecorded(ctx, vm, s)
	}
	if err != nil {
		p.log.Error("cannot put the snapshots of a VM in order", "vm", vm.Name, "error", err)
	}
}

// dropUnrecorded removes the snapshots of a VM that have no row. The VM must be
// held, so that none is just being taken.
func (p *Pool) dropUnrecorded(ctx context.Context, vm db.VirtualMachine, driver runtime.Snapshotter) error {
	names, err := driver.Snapshots(ctx, p.ref(vm))
	if err != nil {
		return err
	}
	rows, err := p.store.Snapshots(ctx, vm.UserID, vm.ID)
	if err != nil {
		return err
	}
	recorded := map[string]bool{}
	for _, row := range rows {
		recorded[row.Reference] = true
	}
	for _, name := range names {
		if !recorded[name] {
			p.log.Info("removing a snapshot that was never recorded", "vm", vm.Name)
			if err := driver.DeleteSnapshot(ctx, p.ref(vm), name); err != nil {
				return err
			}
		}
	}
	return nil
}

// fork makes a VM with the files of another one's snapshot, and starts it. What
// the request leaves open is as in that other VM.
func (t *Tenant) fork(ctx context.Context, r CreateRequest, progress runtime.Progress) (db.VirtualMachine, error) {
	source, snapshot := r.From.VM, r.From.Snapshot
	if r.Runtime != "" && r.Runtime != source.Runtime {
		return source, invalid("runtime", "a snapshot of runtime %s makes no VM of runtime %s", quote(source.Runtime), quote(r.Runtime))
	}
	if r.Image != "" && r.Image != source.Image {
		return source, invalid("image", "a snapshot of VM %s brings its own image", source.Name)
	}
	driver, _, err := t.snapshots(ctx, source)
	if err != nil {
		return source, err
	}
	features, err := driver.Probe(ctx)
	if err != nil {
		return source, driven(err)
	}
	if err := enforceable(features, r); err != nil {
		return source, err
	}
	vm := t.row(r.like(source))
	vm.Runtime, vm.Image, vm.Template = source.Runtime, source.Image, source.Template
	if err := t.setLanguage(&vm, r); err != nil {
		return vm, err
	}
	return t.make(ctx, vm, driver, func(vm db.VirtualMachine) (runtime.Machine, error) {
		return driver.CreateFrom(ctx, t.spec(vm), t.ref(source), snapshot.Reference, progress)
	})
}

// like fills what a request leaves open from another VM.
func (r CreateRequest) like(vm db.VirtualMachine) CreateRequest {
	fill(&r.CPU, vm.CPULimit)
	fill(&r.MemoryMiB, vm.MemoryLimit)
	fill(&r.DiskMiB, vm.DiskLimit)
	fill(&r.Pids, vm.PidsLimit)
	fill(&r.Timeout, vm.Timeout)
	fill(&r.IdleTimeout, vm.IdleTimeout)
	fill(&r.Network, vm.Network)
	if r.Language == "" {
		r.Language = vm.Language
	}
	if r.Isolation == "" {
		r.Isolation = vm.Isolation
	}
	if r.Env == nil {
		r.Env = vm.Env
	}
	return r
}

func fill[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

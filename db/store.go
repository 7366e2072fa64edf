package db

import (
	"context"
	"errors"
	"time"
)

// Sentinels that the store folds every database's errors into.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("already exists")
	// ErrConflict: the row was not in the state that the change presumes; the
	// row as it is now comes with it.
	ErrConflict = errors.New("state has changed")
	// ErrGone: the database cannot be reached right now, or is kept busy by
	// others. The call may be repeated later; whether this one has taken effect
	// is unknown when the connection broke half-way.
	ErrGone = errors.New("database cannot be reached")
)

// QuotaError says which quota a reservation would exceed.
type QuotaError struct {
	Scope string // "user" or "total"
	Limit int
}

func (e *QuotaError) Error() string { return "quota exceeded: " + e.Scope }

// Quota in VMs, scratch VMs included; zero = none may be made.
type Quota struct{ PerUser, Total int }

// VMFilter selects VMs; zero fields select all.
type VMFilter struct {
	UserID   int64
	Status   []Status
	Language string // id; with or without version
	Label    string // "key" or "key=value"
	Scratch  *bool
	Builds   *bool // those alone, or none of them, whose Build is not empty
}

// Tables as Change names them.
const (
	TableUsers           = "users"
	TableVirtualMachines = "virtual_machines"
	TableExecutions      = "vm_executions"
	TableSnapshots       = "vm_snapshots"
	TableEvents          = "events"
)

// Kinds of Change.
const (
	Created = "created"
	Updated = "updated"
	Deleted = "deleted"
	// Resync comes after an interruption, without table and id: everything may
	// have changed.
	Resync = "resync"
)

// Change tells that a row was created, updated or deleted, by whatever process.
type Change struct {
	Table string
	ID    int64
	Kind  string
}

// Store is the one way to the database. Its methods are safe for concurrent use.
// Those that find no row return ErrNotFound; all may fail with ErrGone. Times are
// stored in UTC, to the microsecond. Text keeps neither NUL nor invalid UTF-8:
// both become U+FFFD; []byte keeps everything.
type Store interface {
	// Instance identifies this database for ever: made once, with the first
	// migration. Lower-case letters and digits.
	Instance() string

	// EnsureUser returns the user of that name, made when missing.
	EnsureUser(ctx context.Context, name string) (User, error)

	// ReserveVM inserts vm, whose id it sets, when the quota and the user's
	// names allow, in one transaction; else *QuotaError or ErrExists. Every row
	// counts, whatever its status, but builds, which the quota is not for. It also
	// sets UserName and Version, and CreatedAt and LastUsedAt where they are zero.
	// ErrNotFound: no such user.
	ReserveVM(ctx context.Context, vm *VirtualMachine, quota Quota) error
	VM(ctx context.Context, id int64) (VirtualMachine, error)
	VMByName(ctx context.Context, userID int64, name string) (VirtualMachine, error)
	// VMs in the order of their ids.
	VMs(ctx context.Context, filter VMFilter) ([]VirtualMachine, error)
	// UpdateVM reads the row, lets change alter it and writes it, in one
	// transaction, when its status is one of from (none = any). Otherwise it
	// returns the row as it is and ErrConflict. An error of change is returned
	// as it is and nothing is written. Change may run more than once, each time
	// on a fresh row; it must not call the Store, and holds up other writers.
	// What it does to ID, UserID, CreatedAt and Version has no effect.
	UpdateVM(ctx context.Context, id int64, from []Status, change func(*VirtualMachine) error) (VirtualMachine, error)
	// TouchVM sets last_used_at, without a change notice.
	TouchVM(ctx context.Context, id int64, at time.Time) error
	// DeleteVM deletes the row and those of its snapshots; its executions and
	// events stay.
	DeleteVM(ctx context.Context, id int64) error
	// CountVMs of one user (0 = all users) by status, without builds.
	CountVMs(ctx context.Context, userID int64) (map[Status]int, error)

	// BeginExecution inserts an execution, whose id and Verdict it sets, and
	// touches its VM, in one transaction, provided the VM is running; else
	// ErrConflict. A zero ExecutedAt becomes now.
	BeginExecution(ctx context.Context, e *Execution) error
	// FinishExecution writes how it ended (Verdict to PeakMemoryMiB, and
	// EndedAt, now when zero), when it was still running; else ErrConflict.
	FinishExecution(ctx context.Context, e *Execution) error
	// AdoptExecution makes owner the follower of a running execution whose
	// follower was old; ErrConflict when somebody else was faster.
	AdoptExecution(ctx context.Context, id int64, old, owner string) error
	Execution(ctx context.Context, id int64) (Execution, error)
	// Executions, newest first: of one VM (0 = all of the user's), before an id
	// (0 = from the newest), at most limit. A userID of 0 means all users.
	Executions(ctx context.Context, userID, vmID, before int64, limit int) ([]Execution, error)
	// RunningExecutions of one VM, 0 = of all, oldest first.
	RunningExecutions(ctx context.Context, vmID int64) ([]Execution, error)

	// AddSnapshot inserts the row of a snapshot that the VM's driver has taken,
	// whose id it sets, and makes it the one that the VM's files come from.
	// Parent becomes what that was before. An empty name becomes one of kind and
	// id. ErrExists: the VM has a snapshot of that name.
	AddSnapshot(ctx context.Context, s *Snapshot) error
	Snapshot(ctx context.Context, id int64) (Snapshot, error)
	// Snapshots of one VM (0 = of all of the user's), oldest first.
	Snapshots(ctx context.Context, userID, vmID int64) ([]Snapshot, error)
	// DeleteSnapshot deletes the row. What came from it comes from its parent.
	DeleteSnapshot(ctx context.Context, id int64) error
	// MarkUndone notes that the effects of a VM's executions from an id on are
	// gone from its files.
	MarkUndone(ctx context.Context, vmID, execution int64) error

	// AddTemplate inserts t, whose id it sets, and CreatedAt when it is zero.
	// ErrExists: the user has one of that name. Templates make no notice.
	AddTemplate(ctx context.Context, t *Template) error
	Template(ctx context.Context, userID int64, name string) (Template, error)
	// Templates of a user in the order of their ids.
	Templates(ctx context.Context, userID int64) ([]Template, error)
	// DeleteTemplate deletes a user's template; VMs made from it stay.
	DeleteTemplate(ctx context.Context, userID int64, name string) error
	// SaveSetup inserts what a set-up script printed, once per VM.
	SaveSetup(ctx context.Context, s *Setup) error
	// Setup of a VM; ErrNotFound when no script was run in it.
	Setup(ctx context.Context, vmID int64) (Setup, error)

	// AddEvent inserts e, whose id it sets, and Time when it is zero.
	AddEvent(ctx context.Context, e *Event) error
	Event(ctx context.Context, id int64) (Event, error)
	// Events, newest first, at most limit. Severity selects that one and worse;
	// zero arguments select all.
	Events(ctx context.Context, userID, vmID int64, severity string, since time.Time, limit int) ([]Event, error)

	// TakeLease makes owner the holder of a named lease for ttl, when it is
	// free, expired, or already the owner's; reports whether it is.
	TakeLease(ctx context.Context, name, owner string, ttl time.Duration) (bool, error)
	// ReleaseLease ends a lease when owner holds it; otherwise it does nothing.
	ReleaseLease(ctx context.Context, name, owner string) error

	// Watch delivers changes, own ones included, in the order of their commits,
	// until ctx ends or the Store is closed; then the channel is closed. A
	// change that was made after Watch returned is delivered, or a Resync that
	// covers it. A slow receiver gets a Resync instead of a backlog. Touched
	// VMs, leases and the deletion of snapshots with their VM make no notice.
	Watch(ctx context.Context) <-chan Change

	// Close waits for calls under way, and ends the watches. It may be repeated.
	Close() error
}

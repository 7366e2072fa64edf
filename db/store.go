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
	// ErrGone: the database cannot be reached right now. The call may be
	// repeated later.
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
}

// Change tells that a row was created, updated or deleted, by whatever process.
type Change struct {
	Table string // virtual_machines, vm_executions, events …
	ID    int64
	Kind  string // created, updated, deleted; "resync" after an interruption: everything may have changed
}

// Store is the one way to the database. Its methods are safe for concurrent use.
// Those that find no row return ErrNotFound.
type Store interface {
	// Instance identifies this database for ever: made once, with the first
	// migration. Lower-case letters and digits.
	Instance() string

	EnsureUser(ctx context.Context, name string) (User, error)

	// ReserveVM inserts vm, whose id it sets, when the quota and the user's
	// names allow, in one transaction; else *QuotaError or ErrExists.
	ReserveVM(ctx context.Context, vm *VirtualMachine, quota Quota) error
	VM(ctx context.Context, id int64) (VirtualMachine, error)
	VMByName(ctx context.Context, userID int64, name string) (VirtualMachine, error)
	VMs(ctx context.Context, filter VMFilter) ([]VirtualMachine, error)
	// UpdateVM reads the row, lets change alter it and writes it, in one
	// transaction, when its status is one of from (none = any). Otherwise it
	// returns the row as it is and ErrConflict. An error of change is returned
	// as it is and nothing is written.
	UpdateVM(ctx context.Context, id int64, from []Status, change func(*VirtualMachine) error) (VirtualMachine, error)
	// TouchVM sets last_used_at, without a change notice.
	TouchVM(ctx context.Context, id int64, at time.Time) error
	DeleteVM(ctx context.Context, id int64) error
	// CountVMs of one user (0 = all users) by status.
	CountVMs(ctx context.Context, userID int64) (map[Status]int, error)

	// BeginExecution inserts a running execution, whose id it sets, and touches
	// its VM, in one transaction, provided the VM is running; else ErrConflict.
	BeginExecution(ctx context.Context, e *Execution) error
	// FinishExecution writes how it ended, when it was still running; else
	// ErrConflict.
	FinishExecution(ctx context.Context, e *Execution) error
	// AdoptExecution makes owner the follower of a running execution whose
	// follower was old; ErrConflict when somebody else was faster.
	AdoptExecution(ctx context.Context, id int64, old, owner string) error
	Execution(ctx context.Context, id int64) (Execution, error)
	// Executions, newest first: of one VM (0 = all of the user's), before an id
	// (0 = from the newest), at most limit.
	Executions(ctx context.Context, userID, vmID, before int64, limit int) ([]Execution, error)
	// RunningExecutions of one VM, 0 = of all.
	RunningExecutions(ctx context.Context, vmID int64) ([]Execution, error)

	AddEvent(ctx context.Context, e *Event) error
	Event(ctx context.Context, id int64) (Event, error)
	// Events, newest first. Severity selects that one and worse.
	Events(ctx context.Context, userID, vmID int64, severity string, since time.Time, limit int) ([]Event, error)

	// TakeLease makes owner the holder of a named lease for ttl, when it is
	// free, expired, or already the owner's; reports whether it is.
	TakeLease(ctx context.Context, name, owner string, ttl time.Duration) (bool, error)
	ReleaseLease(ctx context.Context, name, owner string) error

	// Watch delivers changes, own ones included, until ctx ends; then the
	// channel is closed. A slow receiver gets a resync instead of a backlog.
	Watch(ctx context.Context) <-chan Change

	Close() error
}

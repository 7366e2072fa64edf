// Package db is the state of the service: Bun models, migrations, the store and
// the change feed, on PostgreSQL or embedded SQLite.
//
// The database is the truth. Every process that uses it may die at any moment
// and another goes on, so every change of state is a compare-and-set, and
// whatever takes long carries its Owner and a deadline.
package db

import (
	"time"

	"github.com/uptrace/bun"

	"github.com/itechsmart/vm/runtime"
)

// User owns VMs.
type User struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID        int64     `bun:",pk,autoincrement"`
	Name      string    `bun:",unique,notnull"`
	CreatedAt time.Time `bun:",notnull"`
}

// Status of a VM.
type Status string

// Statuses: creating → running ⇄ stopped, running → snapshotting or restoring →
// running, any → error, any → deleting → gone.
const (
	Creating     Status = "creating"
	Starting     Status = "starting" // stored only; shown as stopped
	Running      Status = "running"
	Stopping     Status = "stopping" // stored only; shown as running
	Stopped      Status = "stopped"
	Snapshotting Status = "snapshotting"
	Restoring    Status = "restoring"
	Failed       Status = "error"
	Deleting     Status = "deleting"
)

// Transient reports whether a process is at work on a VM of this status; its
// Owner and OwnedUntil say which, and until when.
func (s Status) Transient() bool {
	switch s {
	case Creating, Starting, Stopping, Snapshotting, Restoring, Deleting:
		return true
	}
	return false
}

// VirtualMachine is one VM. The unique name is per user.
type VirtualMachine struct {
	bun.BaseModel `bun:"table:virtual_machines,alias:vm"`

	ID          int64   `bun:",pk,autoincrement"`
	UserID      int64   `bun:",notnull"`
	UserName    string  `bun:",scanonly"` // joined from users
	Name        string  `bun:",notnull"`
	Status      Status  `bun:",notnull"`
	Language    string  `bun:",notnull"` // id, with @version when one was asked for; may be empty
	Runtime     string  `bun:",notnull"` // driver name
	ContainerID string  `bun:",notnull"` // the engine's own id; empty until made
	Image       string  `bun:",notnull"` // as asked for; empty = the host's toolchains
	Template    string  `bun:",notnull"`
	CPULimit    float64 `bun:"cpu_limit,notnull"`    // cores
	MemoryLimit int     `bun:"memory_limit,notnull"` // MiB
	DiskLimit   int     `bun:"disk_limit,notnull"`   // MiB
	PidsLimit   int     `bun:"pids_limit,notnull"`
	Timeout     float64 `bun:",notnull"` // seconds an execution may take when it does not say
	IdleTimeout float64 `bun:",notnull"` // seconds without use until it is stopped; 0 = never

	Network     runtime.Network     `bun:"type:json,notnull"`
	Isolation   string              `bun:",notnull"`
	IP          string              `bun:"ip,notnull"`
	Enforcement runtime.Enforcement `bun:"type:json,notnull"`
	Env         map[string]string   `bun:"type:json,notnull"`
	Labels      map[string]string   `bun:"type:json,notnull"`
	Scratch     bool                `bun:",notnull"` // made for executions that named no VM
	// Build is not empty where this is nobody's VM, but what one or several others
	// are made from: it says which content was built in it.
	Build    string `bun:",notnull"`
	Snapshot int64  `bun:",notnull"` // that its files come from, the newest taken or restored; 0 = none
	Error    string `bun:",notnull"` // why Status is error; for a person

	CreatedAt  time.Time `bun:",notnull"`
	StartedAt  time.Time `bun:",nullzero"`
	StoppedAt  time.Time `bun:",nullzero"`
	LastUsedAt time.Time `bun:",notnull"`
	ExpiresAt  time.Time `bun:",nullzero"` // when it is deleted; zero = never

	Owner      string    `bun:",notnull"`  // runtime.Owner of a transient status, else ""
	OwnedUntil time.Time `bun:",nullzero"` // when that owner counts as dead wherever it is
	Version    int64     `bun:",notnull"`  // grows with every update: optimistic locking
}

// Execution is one run of code in a VM. It stays when its VM is deleted.
type Execution struct {
	bun.BaseModel `bun:"table:vm_executions,alias:e"`

	ID       int64  `bun:",pk,autoincrement"`
	VMID     int64  `bun:"vm_id,notnull"`
	VMName   string `bun:",notnull"`
	UserID   int64  `bun:",notnull"`
	Code     []byte `bun:",notnull"`
	Language string `bun:",notnull"`
	Session  string `bun:",notnull"`
	Detached bool   `bun:",notnull"`
	// Checkpoint is the snapshot that holds the VM's files as they were right
	// before; 0 = there is none, and CheckpointNote says why when one was due.
	Checkpoint     int64  `bun:",notnull"`
	CheckpointNote string `bun:",notnull"`
	// Undone: its effects are gone from the VM's files.
	Undone bool `bun:",notnull"`

	Verdict       string     `bun:",notnull"`
	Phase         string     `bun:",notnull"` // build or run
	Output        []byte     `bun:",notnull"` // standard output: its beginning and end
	Error         []byte     `bun:",notnull"` // standard error likewise
	OutputOmitted int64      `bun:",notnull"` // bytes left out of Output
	ErrorOmitted  int64      `bun:",notnull"`
	Result        string     `bun:",notnull"` // a session's last value
	SessionNote   string     `bun:",notnull"` // that its interpreter has ended or was started anew, and why
	Artifacts     []Artifact `bun:"type:json,notnull"`
	ExitCode      int        `bun:",notnull"`
	Signal        string     `bun:",notnull"`
	ExecutionTime float64    `bun:",notnull"` // seconds, wall clock
	CPUTime       float64    `bun:"cpu_time,notnull"`
	PeakMemoryMiB float64    `bun:"peak_memory_mib,notnull"`

	URI        string    `bun:"uri,notnull"` // the caller's document, when it came from one
	StartLine  int       `bun:",notnull"`    // zero-based line of URI where Code begins
	Owner      string    `bun:",notnull"`    // runtime.Owner that follows it while it runs
	ExecutedAt time.Time `bun:",notnull"`
	EndedAt    time.Time `bun:",nullzero"`
}

// Artifact is what code in a session shows beside text.
type Artifact struct {
	MIME string `json:"mime"`
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// Snapshot of a VM's files.
type Snapshot struct {
	bun.BaseModel `bun:"table:vm_snapshots,alias:s"`

	ID        int64     `bun:",pk,autoincrement"`
	VMID      int64     `bun:"vm_id,notnull"`
	Name      string    `bun:",notnull"`
	Comment   string    `bun:",notnull"`
	Kind      string    `bun:",notnull"` // manual or auto
	Parent    int64     `bun:",notnull"` // snapshot id, 0 = the image
	Reference string    `bun:",notnull"` // the driver's own name for it
	SizeBytes int64     `bun:",notnull"`
	CreatedAt time.Time `bun:",notnull"`
}

// Template that VMs are made from. The unique name is per user.
type Template struct {
	bun.BaseModel `bun:"table:vm_templates,alias:t"`

	ID          int64             `bun:",pk,autoincrement"`
	UserID      int64             `bun:",notnull"`
	Name        string            `bun:",notnull"`
	Description string            `bun:",notnull"`
	Language    string            `bun:",notnull"`
	Image       string            `bun:",notnull"`
	Packages    []string          `bun:"type:json,notnull"`
	Files       []TemplateFile    `bun:"type:json,notnull"`
	Setup       string            `bun:",notnull"` // script that sets a VM up
	SetupUser   string            `bun:",notnull"` // who runs it: root, or empty for the VM's own user
	Env         map[string]string `bun:"type:json,notnull"`
	Labels      map[string]string `bun:"type:json,notnull"`
	Network     runtime.Network   `bun:"type:json,notnull"` // without a mode = the default
	Limits      runtime.Limits    `bun:"type:json,notnull"` // zero fields = the defaults
	CreatedAt   time.Time         `bun:",notnull"`
}

// TemplateFile is placed in each VM before it is set up.
type TemplateFile struct {
	Path string `json:"path"` // relative to the home of the VM's user, or absolute
	Data []byte `json:"data"`
	Mode uint32 `json:"mode"` // permission bits; 0 = 0644
}

// Setup is what setting a VM up printed. It goes with the VM.
type Setup struct {
	bun.BaseModel `bun:"table:vm_setups,alias:st"`

	VMID   int64     `bun:"vm_id,pk"`
	Output []byte    `bun:",notnull"` // both streams as they came; of much, the end
	Began  time.Time `bun:",notnull"`
}

// Event for the security feed.
type Event struct {
	bun.BaseModel `bun:"table:events,alias:ev"`

	ID       int64          `bun:",pk,autoincrement"`
	Time     time.Time      `bun:",notnull"`
	Severity string         `bun:",notnull"` // info, warning, error, critical
	Type     string         `bun:",notnull"` // such as vm.created, execution.timeout
	UserID   int64          `bun:",notnull"`
	User     string         `bun:"user_name,notnull"`
	VMID     int64          `bun:"vm_id,notnull"`
	VMName   string         `bun:",notnull"`
	Message  string         `bun:",notnull"`
	Data     map[string]any `bun:"type:json,notnull"`
}

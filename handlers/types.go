package handlers

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"time"

	"github.com/itechsmart/vm/runtime"
)

// The objects of the wire contract, as docs/protocol.md (generated from here)
// describes them. Times are RFC 3339 in UTC, durations seconds, memory and disk
// MiB, CPU cores.

// ID names a VM: by its integer id or by its name.
type ID struct {
	Number int64  // 0 when named by Name
	Name   string // empty when named by Number
}

// UnmarshalJSON takes an integer or a string.
func (id *ID) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &id.Name)
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64)
	if err != nil || n <= 0 {
		return &json.UnmarshalTypeError{Value: string(data), Type: reflect.TypeFor[ID]()}
	}
	id.Number = n
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (id ID) MarshalJSON() ([]byte, error) {
	if id.Number != 0 {
		return json.Marshal(id.Number)
	}
	return json.Marshal(id.Name)
}

// ParseID reads an id as it is typed in a terminal or an URL: digits alone are a
// number, anything else a name.
func ParseID(s string) ID {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return ID{Number: n}
	}
	return ID{Name: s}
}

// Network is a VM's network policy; on the wire also its mode alone, as a string.
type Network runtime.Network

// UnmarshalJSON takes {mode, allow} or a mode.
func (n *Network) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &n.Mode)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode((*runtime.Network)(n))
}

// VM is a virtual machine.
type VM struct {
	ID          int64               `json:"id"`
	Name        string              `json:"name" doc:"unique for its user"`
	User        string              `json:"user" doc:"its owner"`
	Status      string              `json:"status" enum:"creating,running,stopped,snapshotting,restoring,error,deleting"`
	Language    string              `json:"language" doc:"language id, with @version when one was asked for"`
	Runtime     string              `json:"runtime" doc:"the driver that made it"`
	ContainerID string              `json:"containerId" doc:"the engine's own id"`
	Image       string              `json:"image" doc:"OCI image; empty = the host's toolchains, read-only"`
	Template    string              `json:"template" doc:"that it was made from; empty = none"`
	CPULimit    float64             `json:"cpuLimit" doc:"cores"`
	MemoryLimit int                 `json:"memoryLimit" doc:"MiB"`
	DiskLimit   int                 `json:"diskLimit" doc:"MiB"`
	PidsLimit   int                 `json:"pidsLimit" doc:"processes and threads"`
	Timeout     float64             `json:"timeout" doc:"seconds an execution may take when it does not say"`
	IdleTimeout float64             `json:"idleTimeout" doc:"seconds without use until it is stopped; 0 = never"`
	Network     runtime.Network     `json:"network"`
	Isolation   string              `json:"isolation,omitempty" doc:"engine runtime, such as runsc"`
	IP          string              `json:"ip"`
	Enforcement runtime.Enforcement `json:"enforcement" doc:"how hard each limit is held"`
	Labels      map[string]string   `json:"labels"`
	CreatedAt   time.Time           `json:"createdAt"`
	StartedAt   *time.Time          `json:"startedAt"`
	StoppedAt   *time.Time          `json:"stoppedAt"`
	ExpiresAt   *time.Time          `json:"expiresAt" doc:"when it is deleted; null = never"`
	Error       string              `json:"error,omitempty" doc:"why its status is error"`
}

// Execution is one run of code in a VM.
type Execution struct {
	ID            int64     `json:"id"`
	VMID          int64     `json:"vmId"`
	VMName        string    `json:"vmName"`
	Verdict       string    `json:"verdict,omitempty" enum:"running,exited,timeout,cancelled,outOfMemory,diskFull,pidsLimit,signaled,vmStopped,lost" doc:"absent only where a batch could not run the code in a VM"`
	Phase         string    `json:"phase,omitempty" enum:"build,run" doc:"build when the program did not come to run; absent with the verdict"`
	Output        string    `json:"output" doc:"standard output; when truncated its beginning and its end"`
	Error         string    `json:"error" doc:"standard error likewise"`
	ExitCode      int       `json:"exitCode"`
	Signal        string    `json:"signal,omitempty" doc:"that ended the program, such as SIGSEGV"`
	ExecutionTime float64   `json:"executionTime" doc:"seconds of wall clock"`
	CPUTime       float64   `json:"cpuTime" doc:"seconds of all cores"`
	PeakMemoryMiB int       `json:"peakMemoryMiB" doc:"rounded up"`
	Truncated     Truncated `json:"truncated" doc:"bytes left out of the record"`
	Code          string    `json:"code"`
	Language      string    `json:"language"`
	Session       string    `json:"session,omitempty"`
	Result        string    `json:"result,omitempty" doc:"value of the last expression, in a session"`
	SessionNote   string    `json:"sessionNote,omitempty" doc:"that the session's interpreter has ended, or was started anew, and why"`
	// CheckpointNote is for clients that offer vm/undo.
	CheckpointNote string     `json:"checkpointNote,omitempty" doc:"why vm/undo cannot go back to before it, where a checkpoint was due"`
	Artifacts      []Artifact `json:"artifacts,omitempty" doc:"what a session's code shows beside text"`
	// Diagnostics are computed from what was recorded, for old executions too.
	Diagnostics []Diagnostic `json:"diagnostics,omitempty" doc:"what the compiler or the failing program said about places in the code, as LSP diagnostics in the document that it came from"`
	ExecutedAt  time.Time    `json:"executedAt"`
}

// Diagnostic is LSP's.
type Diagnostic struct {
	Range              Range                `json:"range"`
	Severity           int                  `json:"severity" doc:"1 error, 2 warning, 3 information"`
	CodeDescription    *CodeDescription     `json:"codeDescription,omitempty"`
	Code               string               `json:"code,omitempty" doc:"the execution, such as #12"`
	Source             string               `json:"source" doc:"name of the VM"`
	Message            string               `json:"message"`
	RelatedInformation []RelatedInformation `json:"relatedInformation,omitempty" doc:"how the program got there, innermost first; absent where no document was named"`
}

// CodeDescription links to where more is to be read.
type CodeDescription struct {
	Href string `json:"href" doc:"the execution, as a document of the scheme itechsmart-vm"`
}

// RelatedInformation is another place.
type RelatedInformation struct {
	Location Location `json:"location"`
	Message  string   `json:"message"`
}

// Location is a range in a document.
type Location struct {
	URI   string `json:"uri"`
	Range Range  `json:"range"`
}

// Truncated counts the bytes that a record leaves out of each stream.
type Truncated struct {
	Stdout int64 `json:"stdout"`
	Stderr int64 `json:"stderr"`
}

// Event is an entry of the security feed.
type Event struct {
	ID       int64          `json:"id"`
	Time     time.Time      `json:"time"`
	Severity string         `json:"severity" enum:"info,warning,error,critical"`
	Type     string         `json:"type" doc:"such as vm.created or execution.timeout"`
	User     string         `json:"user"`
	VMID     int64          `json:"vmId,omitzero"`
	VMName   string         `json:"vmName,omitempty"`
	Message  string         `json:"message"`
	Data     map[string]any `json:"data,omitempty"`
}

// Tokens are what any params may carry beside their own fields.
type Tokens struct {
	WorkDoneToken      json.RawMessage `json:"workDoneToken,omitempty" doc:"progress is reported under it"`
	PartialResultToken json.RawMessage `json:"partialResultToken,omitempty" doc:"output is sent under it as it comes"`
}

// IDParams name a VM.
type IDParams struct {
	ID ID `json:"id" required:"true" doc:"the VM's id or name"`
	Tokens
}

// ForceParams name a VM and say how hard to be.
type ForceParams struct {
	ID    ID   `json:"id" required:"true" doc:"the VM's id or name"`
	Force bool `json:"force,omitzero" doc:"kill at once instead of asking processes to end"`
	Tokens
}

// CreateParams describe a VM to be made.
type CreateParams struct {
	Name        string            `json:"name" required:"true" doc:"letters, digits, dot, dash and underscore, at most 63, beginning with a letter or digit"`
	Language    string            `json:"language,omitempty" doc:"language id, with @version to ask for one"`
	Runtime     string            `json:"runtime,omitempty" doc:"docker, native, vagrant or auto"`
	Template    string            `json:"template,omitempty" doc:"says what these params do not, and what is in the VM from the start"`
	Image       string            `json:"image,omitempty" doc:"OCI image instead of the language's own"`
	Snapshot    *ID               `json:"snapshot,omitempty" doc:"begin with the files of another VM: its snapshot's id, or VM/SNAPSHOT; what is not said is as in that VM"`
	Packages    []string          `json:"packages,omitempty" doc:"of the language, as vm/installPackages takes them: they are there from the start, whatever the VM's network"`
	CPULimit    *float64          `json:"cpuLimit,omitempty" doc:"cores"`
	MemoryLimit *int              `json:"memoryLimit,omitempty" doc:"MiB"`
	DiskLimit   *int              `json:"diskLimit,omitempty" doc:"MiB"`
	PidsLimit   *int              `json:"pidsLimit,omitempty" doc:"processes and threads"`
	Timeout     *float64          `json:"timeout,omitempty" doc:"seconds an execution may take when it does not say"`
	IdleTimeout *float64          `json:"idleTimeout,omitempty" doc:"seconds without use until it is stopped; 0 = never"`
	TTL         *float64          `json:"ttl,omitempty" doc:"seconds until it is deleted; 0 = never"`
	Network     *Network          `json:"network,omitempty" doc:"policy, or its mode alone"`
	Isolation   string            `json:"isolation,omitempty" doc:"engine runtime, such as runsc"`
	Env         map[string]string `json:"env,omitempty" doc:"environment of every execution"`
	Labels      map[string]string `json:"labels,omitempty" doc:"yours, to select by"`
	Tokens
}

// ListParams select VMs.
type ListParams struct {
	Status   string `json:"status,omitempty" enum:"creating,running,stopped,snapshotting,restoring,error,deleting"`
	Language string `json:"language,omitempty"`
	Label    string `json:"label,omitempty" doc:"key or key=value"`
	AllUsers bool   `json:"allUsers,omitzero" doc:"also other users' VMs"`
	Tokens
}

// ListResult holds VMs, oldest first.
type ListResult struct {
	VMs []VM `json:"vms"`
}

// StatusResult is a VM with its use at this moment.
type StatusResult struct {
	VM                VM          `json:"vm"`
	Stats             Stats       `json:"stats" doc:"zero while the VM does not run"`
	RunningExecutions []Execution `json:"runningExecutions"`
}

// Stats of a VM.
type Stats struct {
	CPUPercent float64 `json:"cpuPercent" doc:"of one core"`
	MemoryMiB  int     `json:"memoryMiB" doc:"rounded up"`
	DiskMiB    int     `json:"diskMiB" doc:"written over the image, rounded up"`
	Pids       int     `json:"pids"`
	Uptime     float64 `json:"uptime" doc:"seconds"`
}

// Run holds what executing code takes, in one VM or in many.
type Run struct {
	Code     string            `json:"code" required:"true"`
	Language string            `json:"language,omitempty" doc:"default: the VM's own"`
	Stdin    string            `json:"stdin,omitempty"`
	Args     []string          `json:"args,omitempty" doc:"arguments of the program"`
	Env      map[string]string `json:"env,omitempty"`
	Cwd      string            `json:"cwd,omitempty" doc:"working directory; default: the VM user's home"`
	Files    []File            `json:"files,omitempty" doc:"placed in the working directory first"`
	Timeout  *float64          `json:"timeout,omitempty" doc:"seconds, at most 600"`
	User     string            `json:"user,omitempty" enum:"sandbox,root" doc:"who runs it inside the VM"`
	// Checkpoint is nil where the setting of that name decides.
	Checkpoint *bool  `json:"checkpoint,omitempty" doc:"take a snapshot first, for vm/undo; default: the setting checkpoint"`
	URI        string `json:"uri,omitempty" doc:"the document that the code comes from"`
	Workspace  string `json:"workspace,omitempty" doc:"absolute path of a folder of the caller's machine, where the server runs: the program works in a copy of it, which goes with the execution or the session; the code takes its document's place there, so that it finds its neighbours; at most 20000 files and 128 MiB"`
	Range      *Range `json:"range,omitempty" doc:"where in that document"`
	Tokens
}

// File is placed beside the code.
type File struct {
	Path     string `json:"path" required:"true" doc:"relative to the working directory"`
	Content  string `json:"content"`
	Encoding string `json:"encoding,omitempty" enum:"utf-8,base64"`
	Mode     uint32 `json:"mode,omitzero" doc:"permission bits, as a decimal number; default 420, which is 0644"`
}

// Range in a document, as LSP has it: zero-based, UTF-16 code units.
type Range struct {
	Start Position `json:"start"`
	End   Position `json:"end"`
}

// Position in a document.
type Position struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

// ExecuteParams are a Run in one VM.
type ExecuteParams struct {
	ID        *ID    `json:"id,omitempty" doc:"the VM; without it a scratch VM of the language is made or reused"`
	OpenStdin bool   `json:"openStdin,omitzero" doc:"standard input stays open for vm/input"`
	Detach    bool   `json:"detach,omitzero" doc:"answer at once; the program goes on, without a time limit unless one is given"`
	Session   string `json:"session,omitempty" doc:"name of the interpreter that is kept for it: variables stay from one execution to the next"`
	Run
}

// BatchParams are a Run in several VMs side by side.
type BatchParams struct {
	VMIDs       []ID     `json:"vmIds,omitempty" doc:"default: all running VMs of the user"`
	Matrix      []string `json:"matrix,omitempty" doc:"instead of vmIds: languages, with @version, for each of which a VM is made and removed afterwards; those made at once must fit the quota"`
	MaxParallel int      `json:"maxParallel,omitzero" doc:"in how many VMs at once; default 10"`
	FailFast    bool     `json:"failFast,omitzero" doc:"the first failure cancels what runs in the others, and starts no more"`
	Run
}

// BatchResult has one result per VM, in the order of the VMs.
type BatchResult struct {
	Results []BatchItem  `json:"results"`
	Groups  []BatchGroup `json:"groups" doc:"identical output and exit code, largest group first; of equally large ones, that of the first VM"`
}

// BatchItem is an Execution, or why there is none.
type BatchItem struct {
	Execution
	Failure *ErrorData `json:"failure,omitempty" doc:"set when the code could not be run in this VM; the message is in error"`
}

// BatchGroup holds the VMs that answered alike.
type BatchGroup struct {
	VMIDs    []int64 `json:"vmIds"`
	Output   string  `json:"output"`
	ExitCode int     `json:"exitCode"`
	Majority bool    `json:"majority,omitzero" doc:"set on the first group: the others are compared with it"`
	Diff     string  `json:"diff,omitempty" doc:"unified diff from the majority's output to this one, at most 64 KiB; absent where the outputs are the same"`
}

// InputParams continue an execution's standard input.
type InputParams struct {
	ExecutionID int64  `json:"executionId" required:"true"`
	Text        string `json:"text,omitempty"`
	EOF         bool   `json:"eof,omitzero" doc:"close standard input after the text"`
	Tokens
}

// SignalParams send a signal to an execution's program.
type SignalParams struct {
	ExecutionID int64  `json:"executionId" required:"true"`
	Signal      string `json:"signal" required:"true" doc:"such as SIGINT; SIGKILL ends the whole tree"`
	Tokens
}

// AttachParams name an execution to be followed.
type AttachParams struct {
	ExecutionID int64 `json:"executionId" required:"true"`
	Tokens
}

// ExecutionsParams select the history.
type ExecutionsParams struct {
	ID     *ID   `json:"id,omitempty" doc:"the VM; default: all of the user's"`
	Limit  int   `json:"limit,omitzero" doc:"default 50, at most 1000"`
	Before int64 `json:"before,omitzero" doc:"execution id to go back from"`
	Tokens
}

// ExecutionsResult holds executions, newest first.
type ExecutionsResult struct {
	Executions []Execution `json:"executions"`
}

// LogsParams ask for a VM's own log.
type LogsParams struct {
	ID   ID  `json:"id" required:"true" doc:"the VM's id or name"`
	Tail int `json:"tail,omitzero" doc:"lines, default 200"`
	Tokens
}

// LogsResult holds log lines, oldest first.
type LogsResult struct {
	Lines []runtime.LogLine `json:"lines"`
}

// NoParams is for methods without any.
type NoParams struct {
	Tokens
}

// Empty is the result of methods that answer with nothing but success.
type Empty struct{}

// PoolStatusResult is the use of quotas, runtimes and the host.
type PoolStatusResult struct {
	User     Use            `json:"user"`
	Total    Use            `json:"total"`
	ByStatus map[string]int `json:"byStatus"`
	Warm     int            `json:"warm" doc:"scratch VMs that are running"`
	Credits  *float64       `json:"credits" doc:"null where they are not counted"`
	Runtimes []RuntimeState `json:"runtimes"`
	Host     Host           `json:"host"`
}

// Use of a quota.
type Use struct {
	Used  int `json:"used"`
	Limit int `json:"limit"`
}

// RuntimeState says whether a driver works here, and how hard it holds limits.
type RuntimeState struct {
	Name        string              `json:"name"`
	Available   bool                `json:"available"`
	Reason      string              `json:"reason,omitempty" doc:"why it is not available"`
	Hint        string              `json:"hint,omitempty" doc:"what to do about it"`
	Version     string              `json:"version,omitempty"`
	Enforcement runtime.Enforcement `json:"enforcement"`
	Notes       []Note              `json:"notes,omitempty" doc:"what is weaker than it could be"`
}

// Note is a finding for a person.
type Note struct {
	Problem string `json:"problem"`
	Mend    string `json:"mend,omitempty"`
}

// Host is the machine that the server runs on.
type Host struct {
	OS            string `json:"os"`
	Arch          string `json:"arch"`
	CPUs          int    `json:"cpus"`
	MemoryMiB     int    `json:"memoryMiB"`
	MemoryFreeMiB int    `json:"memoryFreeMiB"`
}

// LanguagesResult is the language table.
type LanguagesResult struct {
	Languages []Language `json:"languages"`
}

// Language is a row of the language table.
type Language struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Extensions []string `json:"extensions"`
	Sessions   bool     `json:"sessions"`
	Manager    string   `json:"packageManager,omitempty" doc:"that vm/installPackages uses for it; absent = none"`
	Runtimes   []string `json:"runtimes" doc:"where it can run right now without a download"`
}

// EventsParams select events.
type EventsParams struct {
	ID       *ID        `json:"id,omitempty" doc:"the VM; default: all of the user's"`
	Severity string     `json:"severity,omitempty" enum:"info,warning,error,critical" doc:"this one and worse"`
	Since    *time.Time `json:"since,omitempty"`
	Limit    int        `json:"limit,omitzero" doc:"default 50, at most 1000"`
	Tokens
}

// EventsResult holds events, newest first.
type EventsResult struct {
	Events []Event `json:"events"`
}

// OutputChunk is the value of an output notification; the first of an execution,
// before any output, carries the ids alone.
type OutputChunk struct {
	ExecutionID int64  `json:"executionId"`
	VMID        int64  `json:"vmId,omitzero"`
	Stream      string `json:"stream,omitempty" enum:"stdout,stderr"`
	Text        string `json:"text,omitempty"`
}

// Changed tells that a VM was created, updated or deleted, by whatever process.
type Changed struct {
	ID     int64  `json:"id"`
	Change string `json:"change" enum:"created,updated,deleted"`
	VM     *VM    `json:"vm,omitempty" doc:"as it is now; absent when deleted"`
}

package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

// Verdicts that only the pool can give.
const (
	verdictVMStopped = "vmStopped"
	verdictLost      = "lost"
)

// ErrLeave is the cause (context.WithCancelCause) with which a caller that must
// go lets its executions go on. Any other end of a context cancels them.
var ErrLeave = errors.New("the caller leaves; its executions go on")

// RunRequest is code to be run.
type RunRequest struct {
	Code      []byte
	Language  string // empty = the VM's
	Stdin     []byte
	OpenStdin bool // Input continues standard input
	Args      []string
	Env       map[string]string
	Cwd       string
	Files     []agent.File
	Timeout   *float64 // seconds; nil = the VM's, or none when detached
	Detach    bool
	User      string // "", "sandbox" or "root"
	// Checkpoint asks for a snapshot first, or against one; nil = as the pool's
	// policy has it.
	Checkpoint *bool
	URI        string // document that the code is from
	StartLine  int    // zero-based line in it
	Session    string // name of the session that executes it; "" = none
	// Workspace is a folder of this machine of which the program gets a copy, as
	// its working directory; code of a document in it takes that one's place. The
	// caller must be somebody who may read all that this process may. "" = none.
	Workspace string
}

// Observer hears of a run while it goes on. Both may be nil. They are called
// from one goroutine, and the program is held back while they block.
type Observer struct {
	Started func(db.Execution)
	Output  agent.Sink
}

// Execute runs code in a VM and returns how it ended; with Detach at once. A
// program's own failure is no error. When ctx ends, the run is cancelled and its
// record is returned without an error; see ErrLeave.
func (t *Tenant) Execute(ctx context.Context, vm db.VirtualMachine, r RunRequest, o Observer) (db.Execution, error) {
	if err := r.validate(t.defaults); err != nil {
		return db.Execution{}, err
	}
	language, version, err := t.languageOf(vm, r)
	if err != nil {
		return db.Execution{}, err
	}
	if vm, err = t.afterSnapshot(ctx, vm); err != nil {
		return db.Execution{}, err
	}
	if r.Session != "" && len(language.Session) == 0 {
		return db.Execution{}, noSessions(language, t.languages)
	}
	e := db.Execution{
		Code: r.Code, Language: spell(language, version), Session: r.Session, Detached: r.Detach, URI: r.URI, StartLine: r.StartLine,
	}
	w, err := openWorkspace(r)
	if err != nil {
		return db.Execution{}, err
	}
	defer w.close()
	return t.launch(ctx, vm, e, r.Checkpoint, o, job{
		place: func(ctx context.Context, client *agent.Client) (func(), error) {
			return t.placeWorkspace(ctx, vm, client, w, r)
		},
		plan: func(id int64) agent.Run { return t.plan(vm, r, w, language, version, id) },
	})
}

// job is what an execution has a VM's agent do.
type job struct {
	// place puts into the VM what the run needs, and returns how to take it away
	// when it is not begun. May be nil.
	place func(context.Context, *agent.Client) (takeBack func(), err error)
	plan  func(execution int64) agent.Run
}

// launch records an execution, has the VM's agent run what is planned for it, and
// sees it to its end, unless it is detached.
func (t *Tenant) launch(ctx context.Context, vm db.VirtualMachine, e db.Execution, wanted *bool, o Observer, j job) (db.Execution, error) {
	client, err := t.agents.get(ctx, vm)
	if err != nil {
		return db.Execution{}, t.unreachable(ctx, vm, err)
	}
	e.VMID, e.VMName, e.UserID, e.Owner = vm.ID, vm.Name, t.user.ID, runtime.Self().String()
	e.Verdict, e.Phase, e.ExecutedAt = string(agent.Running), "run", now()
	if e.Checkpoint, e.CheckpointNote, err = t.checkpoint(ctx, vm, wanted); err != nil {
		return db.Execution{}, err
	}
	takeBack := func() {}
	if j.place != nil {
		if takeBack, err = j.place(ctx, client); err != nil {
			return db.Execution{}, err
		}
	}
	if err := t.begin(ctx, vm, &e); err != nil {
		takeBack()
		return e, t.notBegun(ctx, vm, err)
	}
	run := j.plan(e.ID)
	if err := client.Start(context.WithoutCancel(ctx), run); err != nil {
		takeBack()
		return t.notStarted(ctx, e, err)
	}
	// Not earlier: whoever hears of it may give it input at once.
	if o.Started != nil {
		o.Started(e)
	}
	if e.Detached {
		t.goBackground(func(ctx context.Context) { t.followQuietly(ctx, vm, e) })
		return e, nil
	}
	stopWatching := t.watchDisk(ctx, vm, client, run.ID)
	defer stopWatching()
	return t.follow(ctx, vm, client, e, o.Output)
}

// runID names an execution within its VM.
func runID(execution int64) string { return strconv.FormatInt(execution, 10) }

// languageOf is the language and version that a request's code is run as.
func (t *Tenant) languageOf(vm db.VirtualMachine, r RunRequest) (lang.Language, string, error) {
	name := cmp.Or(r.Language, vm.Language)
	if name == "" {
		return lang.Language{}, "", &Error{Kind: ErrInvalid, Field: "language",
			Message: "VM " + vm.Name + " is of no language in particular, so the code's language must be named", Hint: "vm languages lists them"}
	}
	l, version, err := t.findLanguage(name)
	if err != nil {
		return l, "", err
	}
	// A VM that was made for a version runs that one, however the code names
	// the language.
	if vmLanguage, vmVersion, err := t.languages.Find(vm.Language); version == "" && err == nil && vmLanguage.ID == l.ID {
		version = vmVersion
	}
	return l, version, nil
}

// findLanguage looks a language up for a parameter of that name.
func (p *Pool) findLanguage(name string) (lang.Language, string, error) {
	l, version, err := p.languages.Find(name)
	if err != nil {
		return l, "", &Error{Kind: ErrInvalid, Field: "language", Message: runtime.Plain(err), Hint: runtime.Hint(err), Cause: err}
	}
	return l, version, nil
}

// plan is what the agent runs for a request.
func (t *Tenant) plan(vm db.VirtualMachine, r RunRequest, w *workspace, l lang.Language, version string, id int64) agent.Run {
	run := l.Plan(r.Code, r.Args, w.arrange(lang.PlanOptions{
		ID: runID(id), Version: version, Host: vm.Image == "", FileName: documentName(r.URI, l), Dir: r.Cwd, Files: r.Files, Session: r.Session,
	}, l))
	run.Env = slices.Concat(run.Env, pairs(vm.Env), pairs(r.Env))
	run.Stdin, run.OpenStdin, run.Detach = r.Stdin, r.OpenStdin, r.Detach
	run.RecordBytes = t.defaults.RecordBytes
	if r.User == "root" {
		run.User = r.User
	}
	switch {
	case r.Timeout != nil:
		run.Timeout = seconds(*r.Timeout)
	case !r.Detach:
		run.Timeout = seconds(vm.Timeout)
	}
	hold(&run, vm)
	return run
}

// documentName is the name under which a document's code runs, so that its
// messages read true.
func documentName(uri string, l lang.Language) string {
	name := path.Base(uri)
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	for _, ext := range l.Extensions {
		if strings.HasSuffix(strings.ToLower(name), ext) {
			return name
		}
	}
	return ""
}

// validate checks what the types cannot.
func (r *RunRequest) validate(d Defaults) error {
	if err := checkTimeout(r.Timeout, d.MaxTimeout); err != nil {
		return err
	}
	if err := checkEnv(r.Env); err != nil {
		return err
	}
	for i, arg := range r.Args {
		if strings.ContainsRune(arg, 0) {
			return invalid("args", "argument %d contains a NUL byte", i+1)
		}
	}
	if err := r.checkSession(); err != nil {
		return err
	}
	if strings.ContainsRune(r.Cwd, 0) {
		return invalid("cwd", "the working directory contains a NUL byte")
	}
	for _, f := range r.Files {
		if f.Path == "" || strings.ContainsRune(f.Path, 0) {
			return invalid("files", "%s is not a file name", quote(f.Path))
		}
	}
	return nil
}

// follow sees a run to its end and records it.
func (t *Tenant) follow(ctx context.Context, vm db.VirtualMachine, client *agent.Client, e db.Execution, sink agent.Sink) (db.Execution, error) {
	result, err := t.await(ctx, client, runID(e.ID), sink)
	switch {
	case errors.Is(err, ErrLeave):
		return e, nil
	case err != nil:
		// The stream broke. Perhaps only the stream: the run may go on.
		if client, err = t.agents.get(ctx, vm); err == nil {
			result, err = t.await(ctx, client, runID(e.ID), nil)
		}
	}
	if errors.Is(err, ErrLeave) {
		return e, nil
	}
	if err != nil {
		return t.finishBroken(ctx, e, err)
	}
	return t.finish(ctx, client, e, result)
}

// await follows a run until it ends; when ctx ends first, the run is killed,
// or, with the cause ErrLeave, left alone.
func (t *Tenant) await(ctx context.Context, client *agent.Client, id string, sink agent.Sink) (agent.Result, error) {
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	leaving := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), ErrLeave) {
			stop()
			return
		}
		_ = client.Kill(following, id, agent.Cancelled) // when the stream is broken, Follow says so
	})
	defer leaving()
	result, err := client.Follow(following, id, sink)
	if following.Err() != nil {
		return result, ErrLeave
	}
	return result, err
}

// finish records how a run ended and lets the agent forget it.
func (p *Pool) finish(ctx context.Context, client *agent.Client, e db.Execution, r agent.Result) (db.Execution, error) {
	ctx = context.WithoutCancel(ctx)
	e = withResult(e, r)
	if missing := lang.MissingManager(r); missing != nil {
		return p.finishMissing(ctx, client, e, missing)
	}
	if l, version, err := p.languages.Find(e.Language); err == nil {
		if missing := l.Missing(r, version); missing != nil {
			return p.finishMissing(ctx, client, e, missing)
		}
	}
	// A VM that is being stopped or put back ends what runs in it by signals.
	if r.Verdict == agent.Signaled || r.Verdict == agent.Cancelled {
		if vm, err := p.store.VM(ctx, e.VMID); err != nil || slices.Contains(ending, vm.Status) {
			e.Verdict = verdictVMStopped
		}
	}
	return p.record(ctx, e, func() { _ = client.Forget(ctx, runID(e.ID)) })
}

// ending are the statuses of a VM in which what ran has come to its end.
var ending = []db.Status{db.Stopping, db.Stopped, db.Restoring, db.Deleting}

// record writes an execution's end, unless somebody else was faster: then that
// one's record counts.
func (p *Pool) record(ctx context.Context, e db.Execution, forget func()) (db.Execution, error) {
	err := p.store.FinishExecution(ctx, &e)
	if errors.Is(err, db.ErrConflict) {
		recorded, err := p.store.Execution(ctx, e.ID)
		return recorded, stored(err)
	}
	if err != nil {
		return e, stored(err)
	}
	forget()
	if worthAnEvent[e.Verdict] {
		vm, err := p.store.VM(ctx, e.VMID)
		if err != nil { // deleted meanwhile
			vm = db.VirtualMachine{ID: e.VMID, Name: e.VMName, UserID: e.UserID}
		}
		p.event(ctx, vm, "warning", "execution."+e.Verdict,
			fmt.Sprintf("execution %d in VM %s ended: %s", e.ID, e.VMName, e.Verdict), map[string]any{"executionId": e.ID, "language": e.Language})
	}
	return e, nil
}

// worthAnEvent are the verdicts that security people hear of.
var worthAnEvent = map[string]bool{
	string(agent.Timeout): true, string(agent.OutOfMemory): true, string(agent.DiskFull): true,
	string(agent.PidsLimit): true, verdictLost: true,
}

// withResult copies what the agent says into the row.
func withResult(e db.Execution, r agent.Result) db.Execution {
	e.Verdict, e.Phase, e.ExitCode, e.Signal = string(r.Verdict), r.Phase, r.ExitCode, r.Signal
	e.Output, e.OutputOmitted = append(r.Stdout.Head, r.Stdout.Tail...), r.Stdout.Omitted
	e.Error, e.ErrorOmitted = append(r.Stderr.Head, r.Stderr.Tail...), r.Stderr.Omitted
	e.ExecutionTime, e.CPUTime = r.Wall.Seconds(), r.CPU.Seconds()
	e.PeakMemoryMiB = float64(r.PeakMemory) / (1 << 20)
	e.Result, e.SessionNote = r.Value, r.Note
	for _, a := range r.Artifacts {
		e.Artifacts = append(e.Artifacts, db.Artifact(a))
	}
	e.EndedAt = now()
	return e
}

// pairs spells an environment as the agent takes it.
func pairs(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return list
}

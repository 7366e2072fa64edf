package pool

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
)

const (
	// setupTimeout bounds a set-up script; the VM's row is its maker's for longer.
	setupTimeout = 20 * time.Minute
	// setupRecord is how many bytes of a script's output the VM's log keeps: the
	// end, where the failure is.
	setupRecord = 64 << 10
	// setupShown is how many lines of a failed script's output its error shows.
	setupShown = 30
	// setupRun names the run within its VM; executions have numbers.
	setupRun = "setup"
	// setupStream is the log's stream that holds the output.
	setupStream = "setup"
)

// setUp runs a template's set-up script in a VM whose machine has just been made,
// before anybody else may use it. What it printed goes into the VM's log, or into
// the error.
func (t *Tenant) setUp(ctx context.Context, vm db.VirtualMachine, template Template, progress runtime.Progress) error {
	if strings.TrimSpace(template.Setup) == "" {
		return nil
	}
	vm.Status = db.Running // as its machine is, for the agent
	client, err := t.open(ctx, vm)
	if err != nil {
		return err
	}
	defer client.Close() // the connection that executions share is another
	output := &tail{most: setupRecord}
	began := now()
	result, err := t.runSetup(ctx, vm, client, template, func(_ agent.Stream, p []byte) {
		output.Write(p)
		progress.Report("set-up: "+output.lastLine(), -1)
	})
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case result.Verdict != agent.Exited || result.ExitCode != 0 || result.Missing != "":
		return setupFailed(template, result, output)
	}
	return stored(t.store.SaveSetup(ctx, &db.Setup{VMID: vm.ID, Output: output.kept, Began: began}))
}

func (t *Tenant) runSetup(ctx context.Context, vm db.VirtualMachine, client *agent.Client, template Template, sink agent.Sink) (agent.Result, error) {
	run := setupPlan(vm, template)
	if err := client.Start(context.WithoutCancel(ctx), run); err != nil {
		return agent.Result{}, notSetUp(template, err)
	}
	stopWatching := t.watchDisk(ctx, vm, client, run.ID)
	defer stopWatching()
	result, err := t.await(ctx, client, run.ID, sink)
	if err == nil {
		err = client.Forget(context.WithoutCancel(ctx), run.ID)
	}
	return result, err
}

// setupPlan is what the agent runs: the script itself when it names its
// interpreter, else a shell that ends at the first command that fails.
func setupPlan(vm db.VirtualMachine, template Template) agent.Run {
	const scratch = "/tmp/" + setupRun
	script := path.Join(scratch, "setup.sh")
	run := agent.Run{
		ID: setupRun, Scratch: scratch, Env: pairs(vm.Env), User: template.SetupUser, Timeout: setupTimeout,
		Files:   []agent.File{{Path: script, Data: []byte(template.Setup), Mode: 0o755}},
		Command: []string{"sh", "-e", script},
	}
	if strings.HasPrefix(template.Setup, "#!") {
		run.Command = []string{script}
	}
	hold(&run, vm)
	return run
}

// notSetUp explains why the agent would not start a script.
func notSetUp(template Template, err error) error {
	var refused *agent.InvalidError
	if !errors.As(err, &refused) {
		return err
	}
	return &Error{Kind: ErrState, Field: "template", Message: "the set-up script of template " + template.Name + " could not be run: " + refused.Reason,
		Hint: "a VM of an image has a root user, one of this machine's own toolchains has none"}
}

// setupFailed says how a script ended, with the end of what it printed.
func setupFailed(template Template, r agent.Result, output *tail) error {
	how := fmt.Sprintf("ended with exit code %d", r.ExitCode)
	switch {
	case r.Missing != "":
		how = "could not be run: there is no program " + r.Missing
	case r.Verdict != agent.Exited:
		how = "ended by " + string(r.Verdict)
	}
	message := fmt.Sprintf("the set-up script of template %s %s", template.Name, how)
	if lines := output.lines(); len(lines) > 0 {
		message += "; it printed:\n" + strings.Join(lines[max(0, len(lines)-setupShown):], "\n")
	}
	return &Error{Kind: ErrState, Field: "template", Message: message, Hint: "nothing of the VM is left; mend the script and create it again"}
}

// tail keeps the end of what is written to it.
type tail struct {
	most int
	kept []byte
}

func (t *tail) Write(p []byte) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - t.most; over > 0 {
		t.kept = slices.Delete(t.kept, 0, over)
	}
}

func (t *tail) lines() []string { return textLines(t.kept) }

// lastLine is the last line with any ink.
func (t *tail) lastLine() string {
	lines := strings.Split(strings.TrimSpace(string(t.kept[max(0, len(t.kept)-256):])), "\n")
	return strings.ToValidUTF8(strings.TrimSpace(lines[len(lines)-1]), "")
}

// textLines splits output into lines, without an empty one at the end.
func textLines(output []byte) []string {
	text := strings.TrimRight(strings.ToValidUTF8(string(output), "\uFFFD"), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// setupLog is what a VM's set-up script printed, as lines of its log.
func (p *Pool) setupLog(ctx context.Context, vm db.VirtualMachine) ([]runtime.LogLine, error) {
	setup, err := p.store.Setup(ctx, vm.ID)
	if isNotFound(err) {
		return nil, nil
	}
	var lines []runtime.LogLine
	for _, line := range textLines(setup.Output) {
		lines = append(lines, runtime.LogLine{Time: setup.Began, Stream: setupStream, Text: line})
	}
	return lines, stored(err)
}

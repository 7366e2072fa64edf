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
	"github.com/itechsmart/vm/runtime/lang"
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

// setUp puts content into a VM whose machine has just been made, before anybody
// else may use it: files, packages, and what the set-up script does, in this order.
// What is printed goes into the VM's log, or into the error.
func (t *Tenant) setUp(ctx context.Context, vm db.VirtualMachine, c content, progress runtime.Progress) error {
	if c.empty() {
		return nil
	}
	vm.Status = db.Running // as its machine is, for the agent
	client, err := t.open(ctx, vm)
	if err != nil {
		return err
	}
	defer client.Close() // the connection that executions share is another
	s := settingUp{Tenant: t, vm: vm, of: c, client: client, output: &tail{most: setupRecord}, progress: progress}
	began := now()
	for _, step := range []func(context.Context) error{s.placeFiles, s.installPackages, s.runScript} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return stored(t.store.SaveSetup(ctx, &db.Setup{VMID: vm.ID, Output: s.output.kept, Began: began}))
}

// settingUp is one VM that is being set up.
type settingUp struct {
	*Tenant

	vm       db.VirtualMachine
	of       content
	client   *agent.Client
	output   *tail
	progress runtime.Progress
}

// owner says whose content it is.
func (s *settingUp) owner() string {
	if s.of.template == "" {
		return "the VM" // whose name is that of a build
	}
	return "template " + s.of.template
}

func (s *settingUp) placeFiles(ctx context.Context) error {
	if len(s.of.files) == 0 {
		return nil
	}
	run := agent.Run{ID: "files", Command: []string{"true"}}
	for _, f := range s.of.files {
		run.Files = append(run.Files, agent.File(f))
	}
	_, err := s.run(ctx, run, "files of "+s.owner())
	return err
}

func (s *settingUp) installPackages(ctx context.Context) error {
	if len(s.of.packages) == 0 {
		return nil
	}
	in, err := s.installation(s.vm, InstallRequest{Packages: s.of.packages})
	if err != nil {
		return err
	}
	if err := s.checkReach("the VM of "+s.owner(), s.vm.Network, in.manager); err != nil {
		return err
	}
	result, err := s.run(ctx, s.planInstall(s.vm, in, "packages"), "packages of "+s.owner())
	if err != nil {
		return err
	}
	if missing := lang.MissingManager(result); missing != nil {
		return driven(missing)
	}
	if result.Verdict == agent.Exited && result.ExitCode == 0 {
		return nil
	}
	return &Error{Kind: ErrState, Field: "packages", Message: "the packages of " + s.owner() + " could not be installed: " + in.manager.Name + " " + s.ending(result),
		Hint: "nothing of the VM is left; see what the index has, and the setting packages for another one"}
}

func (s *settingUp) runScript(ctx context.Context) error {
	if strings.TrimSpace(s.of.setup) == "" {
		return nil
	}
	result, err := s.run(ctx, s.scriptPlan(), "set-up script of "+s.owner())
	if err != nil || result.Verdict == agent.Exited && result.ExitCode == 0 && result.Missing == "" {
		return err
	}
	return &Error{Kind: ErrState, Field: "template", Message: "the set-up script of " + s.owner() + " " + s.ending(result),
		Hint: "nothing of the VM is left; mend the script and create it again"}
}

// run sees one step to its end, whose output it keeps and shows as progress. It
// fails when the step could not begin, or was cancelled.
func (s *settingUp) run(ctx context.Context, run agent.Run, what string) (agent.Result, error) {
	hold(&run, s.vm)
	if err := s.client.Start(context.WithoutCancel(ctx), run); err != nil {
		return agent.Result{}, notSetUp(what, err)
	}
	stopWatching := s.watchDisk(ctx, s.vm, s.client, run.ID)
	defer stopWatching()
	result, err := s.await(ctx, s.client, run.ID, func(_ agent.Stream, p []byte) {
		s.output.Write(p)
		s.progress.Report(what+": "+s.output.lastLine(), -1)
	})
	if err == nil {
		err = s.client.Forget(context.WithoutCancel(ctx), run.ID)
	}
	if err == nil {
		err = ctx.Err()
	}
	return result, err
}

// scriptPlan is what the agent runs: the script itself when it names its
// interpreter, else a shell that ends at the first command that fails.
func (s *settingUp) scriptPlan() agent.Run {
	const scratch = "/tmp/" + setupRun
	script := path.Join(scratch, "setup.sh")
	run := agent.Run{
		ID: setupRun, Scratch: scratch, Env: pairs(s.vm.Env), User: s.of.setupUser, Timeout: setupTimeout,
		Files:   []agent.File{{Path: script, Data: []byte(s.of.setup), Mode: 0o755}},
		Command: []string{"sh", "-e", script},
	}
	if strings.HasPrefix(s.of.setup, "#!") {
		run.Command = []string{script}
	}
	return run
}

// notSetUp explains why the agent would not begin a step.
func notSetUp(what string, err error) error {
	var refused *agent.InvalidError
	if !errors.As(err, &refused) {
		return err
	}
	return &Error{Kind: ErrState, Field: "template", Message: "the " + what + " could not be used: " + refused.Reason,
		Hint: "a VM of an image has a root user, one of this machine's own toolchains has none; nothing of the VM is left"}
}

// ending says how a step ended that failed, with the end of what was printed.
func (s *settingUp) ending(r agent.Result) string {
	how := fmt.Sprintf("ended with exit code %d", r.ExitCode)
	switch {
	case r.Missing != "":
		how = "could not be run: there is no program " + r.Missing
	case r.Verdict != agent.Exited:
		how = "ended by " + string(r.Verdict)
	}
	if lines := s.output.lines(); len(lines) > 0 {
		how += "; it printed:\n" + strings.Join(lines[max(0, len(lines)-setupShown):], "\n")
	}
	return how
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

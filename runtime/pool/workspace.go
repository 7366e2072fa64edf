package pool

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	goruntime "runtime"
	"strings"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/archive"
	"github.com/itechsmart/vm/runtime/lang"
)

// workspaceBounds are what a workspace may hold: it is copied for each execution.
var workspaceBounds = archive.Bounds{Entries: 20_000, Bytes: 128 << 20}

// workspace is a folder of this machine that an execution sees. A nil one is none.
type workspace struct {
	view   *archive.View
	folder string // where in the VM the copy goes
	// scratch is the execution's scratch folder, with the copy in it; "" in a
	// session, which keeps the copy in its own.
	scratch string
	name    string // of the copy, within that
	// beside is where in the folder the code goes, with slashes: to its document's
	// place, if that is in it; else to the top.
	beside     string
	ofDocument bool
}

// openWorkspace looks at the folder that a request names.
func openWorkspace(r RunRequest) (*workspace, error) {
	if r.Workspace == "" {
		return nil, nil
	}
	if !filepath.IsAbs(r.Workspace) || strings.ContainsRune(r.Workspace, 0) {
		return nil, invalid("workspace", "%s is no absolute path of a folder", quote(r.Workspace))
	}
	view, err := archive.OpenView(r.Workspace, workspaceBounds)
	var tooMuch *archive.TooMuchError
	switch {
	case errors.As(err, &tooMuch):
		e := invalid("workspace", "the folder %s cannot be copied for an execution: %s", quote(r.Workspace), tooMuch)
		e.Hint = "name a folder further down, or copy it into the VM once: vm cp"
		return nil, e
	case err != nil:
		return nil, noWorkspace(r.Workspace, err)
	}
	w := &workspace{view: view, name: copyName(r.Workspace)}
	if beside, is := documentFolder(r.Workspace, r.URI); is {
		w.beside, w.ofDocument = beside, true
	}
	if r.Session != "" {
		w.folder = path.Join(lang.SessionScratch(r.Session), "workspace", w.name)
		return w, nil
	}
	w.scratch = lang.NewScratch()
	w.folder = path.Join(w.scratch, w.name)
	return w, nil
}

func noWorkspace(folder string, err error) error {
	reason := err.Error()
	var at *os.PathError
	if errors.As(err, &at) {
		reason = at.Err.Error()
	}
	e := invalid("workspace", "the folder %s cannot be read: %s", quote(folder), reason)
	e.Cause = err
	return e
}

func (w *workspace) close() {
	if w != nil {
		_ = w.view.Close() // it was only read
	}
}

// arrange has code of a language run in the copy: beside its neighbours, with the
// folder as working directory. In a session, whose code has a file of its own, the
// document's folder is that.
func (w *workspace) arrange(o lang.PlanOptions, l lang.Language) lang.PlanOptions {
	if w == nil {
		return o
	}
	dir := w.folder
	switch {
	case w.scratch == "":
		o.Folder = w.beside
		dir = path.Join(dir, w.beside)
	case w.ofDocument || !w.view.Has(l.FileName):
		o.Scratch, o.Folder = w.scratch, path.Join(w.name, w.beside)
	default: // its name is that of one of the folder's own files
		o.Scratch = w.scratch
	}
	if !path.IsAbs(o.Dir) {
		o.Dir = path.Join(dir, o.Dir)
	}
	return o
}

// placeWorkspace copies a workspace into a VM, as the user who runs the code.
func (t *Tenant) placeWorkspace(ctx context.Context, vm db.VirtualMachine, client *agent.Client, w *workspace, r RunRequest) (takeBack func(), err error) {
	takeBack = func() {}
	if w == nil {
		return takeBack, nil
	}
	errand := func() agent.Run {
		run := agent.Run{ID: "workspace-" + rand.Text()}
		if r.User == "root" {
			run.User = r.User
		}
		hold(&run, vm)
		return run
	}
	if w.scratch != "" {
		takeBack = func() {
			run := errand()
			run.Timeout = fileTimeout
			if err := client.RemoveFile(context.WithoutCancel(ctx), run, w.scratch, true); err != nil {
				t.log.Warn("the copy of a workspace is left in a VM", "vm", vm.Name, "error", err)
			}
		}
	}
	reader, writer := io.Pipe()
	packed := make(chan struct{})
	go func() {
		defer close(packed)
		writer.CloseWithError(w.view.Pack(writer))
	}()
	run := errand()
	stopWatching := t.watchDisk(ctx, vm, client, run.ID)
	_, err = client.UnpackFiles(ctx, run, ".", w.folder, reader)
	stopWatching()
	reader.CloseWithError(io.ErrClosedPipe) // ends the packing, if it is not over
	<-packed
	if err == nil {
		return takeBack, nil
	}
	takeBack()
	if errors.Is(err, agent.ErrClosed) {
		return nil, t.unreachable(ctx, vm, err)
	}
	return nil, workspaceFailure(vm, err)
}

// workspaceFailure words why a workspace could not be copied.
func workspaceFailure(vm db.VirtualMachine, err error) error {
	var failure *agent.FileError
	var tooMuch *archive.TooMuchError
	var local *os.PathError
	switch {
	case errors.As(err, &failure) && failure.Code == agent.FileNoSpace:
		return &Error{Kind: ErrState, Message: "there is no room for the workspace on the disk of VM " + vm.Name,
			Hint: "remove files, or make a VM with a larger disk: vm create --disk", Cause: err}
	case errors.As(err, &failure):
		return &Error{Kind: ErrState, Message: "the workspace could not be copied into VM " + vm.Name + ": " + failure.Reason, Cause: err}
	case errors.As(err, &tooMuch), errors.As(err, &local):
		return &Error{Kind: ErrInvalid, Field: "workspace", Message: "the workspace has changed while it was copied", Hint: "try again", Cause: err}
	}
	return err
}

// copyName is what the copy of a folder is called.
func copyName(folder string) string {
	if name := filepath.Base(folder); fitsPath(name) {
		return name
	}
	return "workspace"
}

// documentFolder is the folder of a document, relative to the one given, with
// slashes, if the document is in that.
func documentFolder(folder, uri string) (string, bool) {
	file, ok := filePath(uri)
	if !ok {
		return "", false
	}
	at, err := filepath.Rel(folder, filepath.Dir(file))
	if err != nil || !filepath.IsLocal(at) {
		at, err = relativeFor(folder, filepath.Dir(file))
	}
	switch {
	case err != nil || !filepath.IsLocal(at):
		return "", false
	case at == ".":
		return "", true
	}
	at = filepath.ToSlash(at)
	return at, fitsPath(at)
}

// relativeFor is filepath.Rel where either may be reached through links.
func relativeFor(folder, inner string) (string, error) {
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return "", err
	}
	if inner, err = filepath.EvalSymlinks(inner); err != nil {
		return "", err
	}
	return filepath.Rel(folder, inner)
}

// fitsPath reports whether toolchains take a file in a folder of that name: it
// turns up in their arguments.
func fitsPath(name string) bool {
	return name != "" && name != "." && !strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r == 0x7f || strings.ContainsRune(`'"\:`+"`$", r)
	}) && !strings.HasSuffix(name, string(filepath.Separator))
}

// filePath is the path of a document that is a file of this machine.
func filePath(uri string) (string, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" || u.Path == "" {
		return "", false
	}
	file := u.Path
	if goruntime.GOOS == "windows" {
		file = strings.TrimPrefix(file, "/") // of /C:/folder
	}
	return filepath.FromSlash(file), true
}

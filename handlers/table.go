// Package handlers is the method table: every capability once, with its name,
// types, ordering and routes, and the function that decodes, makes one call and
// encodes. All wires (stdio, terminal, later REST and MCP) speak through it.
package handlers

//go:generate go run ./gen ..

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/itechsmart/vm/runtime/pool"
)

// Order says how a method runs beside others of its connection.
type Order int

// Orders.
const (
	Concurrent Order = iota // side by side with everything
	InTurn                  // in the order of arrival, before anything later starts
)

// Scope is what a method may use.
type Scope struct {
	*pool.Tenant
	Client Client // takes notifications; never nil
	// Output, when set, gets what executions print, instead of the client, for a
	// caller in the same process: Text then holds the bytes as they are, valid
	// UTF-8 or not. Executions of a batch call it at the same time.
	Output func(OutputChunk)

	// OwnMachine tells that the caller is the user of this very process, who may
	// read the files that it may.
	OwnMachine bool

	terminals *terminals // of the connection; nil where nothing outlives a request
}

// Method is a row of the table.
type Method struct {
	Name    string       // on the wire, such as vm/create
	Summary string       // one line for people
	Params  reflect.Type // struct
	Result  reflect.Type // struct, or slice of structs
	Order   Order
	REST    string // method and path below /api, such as "POST /vms/create"; empty = none
	Command string // of the terminal, such as "vm create <name> <language>"; empty = none

	call func(ctx context.Context, s Scope, params json.RawMessage) (any, error)
}

// Call decodes and checks params and runs the method. Errors are *Error.
func (m Method) Call(ctx context.Context, s Scope, params json.RawMessage) (any, error) {
	result, err := m.call(ctx, s, params)
	if err != nil {
		return nil, AsError(err)
	}
	return result, nil
}

// row makes a Method of a function on decoded params.
func row[P, R any](name, summary, rest, command string, f func(context.Context, Scope, P) (R, error)) Method {
	return Method{
		Name: name, Summary: summary, REST: rest, Command: command,
		Params: reflect.TypeFor[P](), Result: reflect.TypeFor[R](),
		call: func(ctx context.Context, s Scope, raw json.RawMessage) (any, error) {
			var params P
			if err := decode(raw, &params); err != nil {
				return nil, err
			}
			return f(ctx, s, params)
		},
	}
}

// inTurn makes a row's order InTurn: its function must not wait.
func inTurn(m Method) Method {
	m.Order = InTurn
	return m
}

// Methods is the table, in the order in which documentation lists it.
func Methods() []Method {
	return []Method{
		row("vm/create", "Make a VM and start it.", "POST /vms/create", "vm create <name> <language>", create),
		row("vm/list", "List VMs, oldest first.", "GET /vms", "vm list", list),
		row("vm/get", "Describe a VM.", "GET /vms/{id}", "vm status <id>", get),
		row("vm/status", "Describe a VM, with its use at this moment and what runs in it.", "GET /vms/{id}/status", "vm status <id>", status),
		row("vm/start", "Start a stopped VM with the files it had.", "POST /vms/{id}/start", "vm start <id>", start),
		row("vm/stop", "End what runs in a VM and keep its files.", "POST /vms/{id}/stop", "vm stop <id>", stop),
		row("vm/restart", "Stop and start a VM.", "POST /vms/{id}/restart", "vm restart <id>", restart),
		row("vm/delete", "Remove a VM and its files; its executions stay in the history.", "DELETE /vms/{id}", "vm delete <id>", remove),
		row("vm/execute", "Run code in a VM, or in a scratch VM of its language.", "POST /vms/{id}/execute", "vm execute <id> <code>", execute),
		row("vm/batchExecute", "Run code in several VMs side by side and compare.", "POST /vms/batch-execute", "vm batch <code>", batchExecute),
		row("vm/input", "Continue an execution's standard input.", "", "", input),
		row("vm/signal", "Send a signal to an execution's program.", "", "", signal),
		row("vm/attach", "Replay an execution's output and follow it to its end.", "", "vm attach <execution>", attach),
		row("vm/executions", "List executions, newest first.", "GET /vms/{id}/executions", "vm executions [id]", executions),
		row("vm/logs", "Show a VM's own log: boot, provisioning, console.", "GET /vms/{id}/logs", "vm logs <id>", logs),
		row("vm/snapshot", "Keep a VM's files as they are, of a running VM too.", "POST /vms/{id}/snapshot", "vm snapshot <id> [name]", snapshot),
		row("vm/snapshots", "List snapshots, oldest first.", "GET /vms/{id}/snapshots", "vm snapshots [id]", snapshots),
		row("vm/diff", "Show what has changed in a VM's files: by its last execution, or between snapshots.", "GET /vms/{id}/diff", "vm diff <id> [from] [to]", diff),
		row("vm/restore", "Give a VM the files of a snapshot; what runs in it ends.", "POST /vms/{id}/restore", "vm restore <id> <snapshot>", restore),
		row("vm/deleteSnapshot", "Remove a snapshot; others stay whole.", "DELETE /vms/{id}/snapshots/{snapshot}", "vm snapshots --delete", deleteSnapshot),
		row("vm/undo", "Put a VM's files back to before its last execution.", "POST /vms/{id}/undo", "vm undo <id>", undo),
		row("vm/sessions", "List the interpreters that a VM keeps.", "GET /vms/{id}/sessions", "vm sessions <id>", sessions),
		row("vm/closeSession", "End a session's interpreter and forget its variables.", "DELETE /vms/{id}/sessions/{session}", "vm sessions <id> --close <session>", closeSession),
		row("vm/installPackages", "Bring packages into a VM, with what their manager prints.", "POST /vms/{id}/packages", "vm install <id> <pkg>…", installPackages),
		row("vm/readFile", "Read a file of at most 16 MiB.", "GET /vms/{id}/files", "vm cp <id>:<path> <path>", readFile),
		row("vm/writeFile", "Write a file, with missing folders made.", "PUT /vms/{id}/files", "vm cp <path> <id>:<path>", writeFile),
		row("vm/listFiles", "List a folder.", "GET /vms/{id}/files/list", "vm ls <id> [path]", listFiles),
		row("vm/deleteFile", "Remove a file, or a folder with all that is in it.", "DELETE /vms/{id}/files", "", deleteFile),
		row("vm/openTerminal", "Open a shell on a terminal, or follow one that is open.", "", "vm shell <id>", openTerminal),
		inTurn(row("vm/terminalInput", "Type into a terminal that this connection shows.", "", "", terminalInput)),
		inTurn(row("vm/terminalResize", "Tell a terminal that its window has changed.", "", "", terminalResize)),
		row("vm/closeTerminal", "Close a terminal and end all that runs in it.", "", "", closeTerminal),
		row("vm/templates", "List templates, the built-in ones first.", "GET /templates", "vm template list", templates),
		row("vm/createTemplate", "Keep a template to make VMs from.", "POST /templates", "vm template create <name>", createTemplate),
		row("vm/deleteTemplate", "Remove a template; VMs made from it stay.", "DELETE /templates/{name}", "vm template delete <name>", deleteTemplate),
		row("vm/poolStatus", "Show quotas, runtimes and the host.", "GET /vms/pool-status", "vm pool", poolStatus),
		row("vm/languages", "List languages and where they can run.", "GET /languages", "vm languages", languages),
		row("vm/events", "List security events, newest first.", "GET /events", "vm events [--follow]", events),
	}
}

// Find returns a row by its name on the wire.
func Find(name string) (Method, bool) {
	table := Methods()
	i := slices.IndexFunc(table, func(m Method) bool { return m.Name == name })
	if i < 0 {
		return Method{}, false
	}
	return table[i], true
}

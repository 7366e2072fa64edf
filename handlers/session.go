package handlers

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"

	"go.lsp.dev/protocol"

	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/pool"
)

// Opened is the pool that an Opener made for some settings.
type Opened struct {
	*pool.Pool
	Close func() // ends the pool and all that it uses
}

// Opener makes a pool; it is the program's part to know databases and drivers.
type Opener func(ctx context.Context, s Settings, log *slog.Logger) (Opened, error)

// SessionOptions are what a Session is made from.
type SessionOptions struct {
	Settings Settings // of the configuration file and the environment
	Open     Opener
	Runtimes []string // names of the drivers in this build
	Version  string
	Log      *slog.Logger
	// OwnMachine tells that whoever is at the other end started this process; see
	// Scope.
	OwnMachine bool
}

// Session is one connection's state; it implements Dispatcher. The database is
// opened at the first request that needs it, so that a client is answered at
// once, and again after a failure.
type Session struct {
	o      SessionOptions
	client Client
	editor *editor // set before other requests

	initial Settings // with the options of initialize; set before other requests

	mu       sync.Mutex // guards what follows
	settings Settings
	current  *tenancy
	ended    bool
}

// tenancy is an opened pool in use by requests.
type tenancy struct {
	scope Scope
	close func()
	users sync.WaitGroup
	stop  context.CancelFunc // ends the change feed
}

// NewSession makes the Dispatcher of one connection.
func NewSession(o SessionOptions) *Session { return &Session{o: o, settings: o.Settings} }

// Initialize implements Dispatcher.
func (s *Session) Initialize(ctx context.Context, client Client, raw json.RawMessage) (any, error) {
	var params protocol.InitializeParams
	if err := protocol.Unmarshal(raw, &params); err != nil {
		return nil, badParams("", "the params of initialize could not be read: "+err.Error())
	}
	settings, err := s.o.Settings.with(json.RawMessage(params.InitializationOptions))
	if err != nil {
		return nil, err
	}
	languages, err := lang.New(settings.Languages)
	if err != nil {
		return nil, err
	}
	s.client, s.initial, s.settings = client, settings, settings
	s.editor = newEditor(client, params.Capabilities, languages)
	return s.capabilities()
}

// capabilities are the result of initialize.
func (s *Session) capabilities() (json.RawMessage, error) {
	var commands, methods []string
	for _, m := range Methods() {
		methods = append(methods, m.Name)
		commands = append(commands, command(m.Name))
	}
	commands = append(commands, runCommand)
	ours, err := json.Marshal(map[string]any{"itechsmart": map[string]any{
		"version": s.o.Version, "methods": methods, "runtimes": s.o.Runtimes,
	}})
	if err != nil {
		return nil, err
	}
	capabilities := editorCapabilities(commands)
	capabilities.Experimental = protocol.LSPAny(ours)
	return protocol.Marshal(protocol.InitializeResult{
		Capabilities: capabilities,
		ServerInfo:   protocol.ServerInfo{Name: "iTechSmart VM", Version: protocol.NewOptional(s.o.Version)},
	})
}

// command is a method's name as a workspace/executeCommand command.
func command(method string) string { return strings.ReplaceAll(method, "/", ".") }

// Ordered implements Dispatcher.
func (s *Session) Ordered(method string) bool {
	m, ok := Find(method)
	return ok && m.Order == InTurn || method == "workspace/didChangeConfiguration" || documentMethods[method] != nil
}

// Handle implements Dispatcher.
func (s *Session) Handle(ctx context.Context, method string, params json.RawMessage) (any, error) {
	switch method {
	case "initialized":
		return nil, nil
	case "workspace/didChangeConfiguration":
		return nil, s.configure(params)
	case "workspace/executeCommand":
		return s.executeCommand(ctx, params)
	case protocol.MethodWorkspaceTextDocumentContent:
		return s.use(ctx, method, func(scope Scope) (any, error) { return content(ctx, scope, params) })
	}
	if sync := documentMethods[method]; sync != nil {
		return nil, sync(s.editor, ctx, params)
	}
	if feature := featureMethods[method]; feature != nil {
		return feature(s.editor, params)
	}
	m, ok := Find(method)
	if !ok {
		return nil, &Error{Code: CodeMethodNotFound, Message: "there is no method " + short(method)}
	}
	return s.call(ctx, m, params)
}

// executeCommand runs a method for editors without custom requests: one
// argument, the params.
func (s *Session) executeCommand(ctx context.Context, raw json.RawMessage) (any, error) {
	var params protocol.ExecuteCommandParams
	if err := protocol.Unmarshal(raw, &params); err != nil {
		return nil, badParams("", "the params of workspace/executeCommand could not be read: "+err.Error())
	}
	m, ok := Find(strings.ReplaceAll(params.Command, ".", "/"))
	switch {
	case !ok && params.Command != runCommand:
		return nil, badParams("command", "there is no command "+short(params.Command))
	case len(params.Arguments) > 1:
		return nil, badParams("arguments", "a command takes one argument: the params of "+cmp.Or(m.Name, runCommand))
	}
	arguments := json.RawMessage("{}")
	if len(params.Arguments) == 1 {
		arguments = json.RawMessage(params.Arguments[0])
	}
	arguments = handDown(raw, arguments)
	if !ok {
		return s.use(ctx, runCommand, func(scope Scope) (any, error) { return s.editor.run(ctx, scope, arguments) })
	}
	return s.call(ctx, m, arguments)
}

// handDown gives the workDoneToken of a workspace/executeCommand to the method's
// own params, where they are an object without one: an editor sends it there.
func handDown(outer, params json.RawMessage) json.RawMessage {
	const token = "workDoneToken"
	var from, to map[string]json.RawMessage
	if json.Unmarshal(outer, &from) != nil || json.Unmarshal(params, &to) != nil || to == nil || from[token] == nil || to[token] != nil {
		return params
	}
	to[token] = from[token]
	merged, err := json.Marshal(to)
	if err != nil {
		return params
	}
	return merged
}

func (s *Session) call(ctx context.Context, m Method, params json.RawMessage) (any, error) {
	return s.use(ctx, m.Name, func(scope Scope) (any, error) { return m.Call(ctx, scope, params) })
}

// use calls f with the pool open. Errors are *Error.
func (s *Session) use(ctx context.Context, method string, f func(Scope) (any, error)) (any, error) {
	t, err := s.enter(ctx)
	if err != nil {
		return nil, AsError(err)
	}
	defer t.users.Done()
	result, err := f(t.scope)
	if err == nil {
		return result, nil
	}
	failure := AsError(err)
	if failure.Code == CodeInternal {
		s.o.Log.Error("a request failed", "method", method, "error", failure.Message)
	}
	return nil, failure
}

// enter returns the tenancy, opened when it is not; the caller calls users.Done.
func (s *Session) enter(ctx context.Context) (*tenancy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, context.Canceled
	}
	if s.current == nil {
		t, err := s.openLocked(ctx)
		if err != nil {
			return nil, err
		}
		s.current = t
	}
	s.current.users.Add(1)
	return s.current, nil
}

func (s *Session) openLocked(ctx context.Context) (*tenancy, error) {
	opened, err := s.o.Open(ctx, s.settings, s.o.Log)
	if err != nil {
		return nil, err
	}
	tenant, err := opened.For(ctx, s.settings.UserName())
	if err != nil {
		opened.Close()
		return nil, err
	}
	feeding, stop := context.WithCancel(context.WithoutCancel(ctx))
	t := &tenancy{scope: Scope{Tenant: tenant, Client: s.client, OwnMachine: s.o.OwnMachine}, close: opened.Close, stop: stop}
	t.scope.terminals = newTerminals(feeding, &t.users)
	opened.Maintain()
	t.users.Go(func() { feed(feeding, t.scope) })
	return t, nil
}

// configure applies changed settings: requests in flight end under the old ones.
func (s *Session) configure(raw json.RawMessage) error {
	var params struct {
		Settings struct {
			Itechsmart json.RawMessage `json:"itechsmart"`
		} `json:"settings"`
	}
	if err := json.Unmarshal(raw, &params); err != nil {
		return badParams("settings", "the settings could not be read: "+err.Error())
	}
	settings, err := s.initial.with(params.Settings.Itechsmart)
	if err != nil {
		return err
	}
	languages, err := lang.New(settings.Languages)
	if err != nil {
		return err
	}
	s.editor.setLanguages(languages)
	s.mu.Lock()
	old := s.current
	s.settings, s.current = settings, nil
	s.mu.Unlock()
	if old != nil {
		go old.end()
	}
	return nil
}

// end closes a tenancy when its last user has left.
func (t *tenancy) end() {
	t.stop()
	t.users.Wait()
	t.close()
}

// Shutdown implements Dispatcher.
func (s *Session) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	t := s.current
	s.current, s.ended = nil, true
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	done := make(chan struct{})
	go func() { t.end(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

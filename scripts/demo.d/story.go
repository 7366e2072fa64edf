package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// What the story reads of the server's answers; docs/protocol.md has all of it.
type (
	vm struct {
		Name, Status, Language, Runtime string
		ID                              int64
		MemoryLimit                     int
		Enforcement                     struct{ CPU, Memory, Disk, Pids, Network string }
	}
	execution struct {
		VMName, Verdict, Output, Error string
		ExitCode                       int
		ExecutionTime, PeakMemoryMiB   float64
	}
	params map[string]any
)

// tell goes through the main job. It ends at the first wrong answer.
func tell(ctx context.Context, s *server) error {
	var languages []programs
	for _, part := range []func() error{
		func() error { return s.initialize(ctx) },
		func() (err error) { languages, err = s.choose(ctx); return err },
		func() error { return s.create(ctx, languages) },
		func() error { return s.selection(ctx, languages) },
		func() error { return s.batch(ctx, languages[0]) },
		func() error { return s.endless(ctx, languages[0]) },
		func() error { return s.hog(ctx, languages[0]) },
		func() error { return s.list(ctx) },
		func() error { return s.delete(ctx, languages[0]) },
		func() error { return s.shutdown(ctx) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// ask sends a request, shows it and decodes the answer.
func (s *server) ask(ctx context.Context, method string, p params, result any) error {
	sent(method, p)
	if err := s.call(ctx, method, p, result); err != nil {
		return fmt.Errorf("%s failed: %w", method, err)
	}
	return nil
}

// right counts a checked answer; a wrong one ends the story.
func (s *server) right(ok bool, format string, args ...any) error {
	if !ok {
		return fmt.Errorf("wrong answer: "+format, args...)
	}
	s.answers++
	return nil
}

func (s *server) initialize(ctx context.Context) error {
	chapter("An editor starts vm serve and says hello")
	began := time.Now()
	var hello struct {
		Capabilities struct {
			Experimental struct {
				Itechsmart struct {
					Version  string
					Methods  []string
					Runtimes []string
				}
			}
		}
	}
	if err := s.ask(ctx, "initialize", params{"processId": nil, "rootUri": nil, "capabilities": params{}}, &hello); err != nil {
		return err
	}
	ours := hello.Capabilities.Experimental.Itechsmart
	got(began, "version %s, %d methods, runtimes %s", ours.Version, len(ours.Methods), strings.Join(ours.Runtimes, ", "))
	if err := s.notify("initialized", params{}); err != nil {
		return err
	}
	return s.right(slices.Contains(ours.Methods, "vm/execute"), "initialize does not list vm/execute: %v", ours.Methods)
}

// choose takes two languages that run here without a download.
func (s *server) choose(ctx context.Context) ([]programs, error) {
	chapter("Which languages run here, right now?")
	began := time.Now()
	var answer struct {
		Languages []struct {
			ID       string
			Runtimes []string
		}
	}
	if err := s.ask(ctx, "vm/languages", params{}, &answer); err != nil {
		return nil, err
	}
	var ready []string
	for _, l := range answer.Languages {
		if len(l.Runtimes) > 0 {
			ready = append(ready, l.ID)
		}
	}
	got(began, "%s", strings.Join(ready, ", "))
	var chosen []programs
	for _, p := range known {
		if slices.Contains(ready, p.language) && len(chosen) < 2 {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) < 2 {
		return nil, errors.New("the demo needs two of Python, JavaScript, Perl and Bash; bin/vm doctor says what is missing")
	}
	return chosen, s.right(true, "")
}

// The demo's VMs: two of the first language and one of the second.
const first, second, twin = "alpha", "beta", "gamma"

func (s *server) create(ctx context.Context, l []programs) error {
	chapter(fmt.Sprintf("Three VMs at once: %s, %s and %s", l[0].language, l[1].language, l[0].language))
	var all sync.WaitGroup
	errs := make([]error, 3)
	for i, name := range []string{first, second, twin} {
		all.Go(func() {
			began := time.Now()
			var made vm
			if errs[i] = s.ask(ctx, "vm/create", params{"name": name, "language": l[i%2].language}, &made); errs[i] == nil {
				got(began, "%s is %s on %s; limits: cpu %s, memory %s, disk %s, processes %s, network %s", made.Name, made.Status, made.Runtime,
					made.Enforcement.CPU, made.Enforcement.Memory, made.Enforcement.Disk, made.Enforcement.Pids, made.Enforcement.Network)
				errs[i] = wrongIf(made.Status != "running", "VM %s is %s", made.Name, made.Status)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.answers += len(errs)
	return nil
}

func wrongIf(wrong bool, format string, args ...any) error {
	if wrong {
		return fmt.Errorf("wrong answer: "+format, args...)
	}
	return nil
}

// selection runs a marked piece of a document, as the editor's Run key does.
func (s *server) selection(ctx context.Context, l []programs) error {
	chapter("A selection runs in each language; its output comes as it is printed")
	for i, name := range []string{first, second} {
		began, token := time.Now(), "live-"+name
		var lines lineWise
		s.onOutput(token, func(c chunk) {
			for _, line := range lines.add(c.Text) {
				say("  %s %s %s", dim("│"), line, dim("· "+span(time.Since(began))))
			}
		})
		var e execution
		err := s.ask(ctx, "vm/execute", params{
			"id": name, "code": l[i].live, "uri": "file:///demo/example", "partialResultToken": token,
			"range": params{"start": params{"line": 10, "character": 0}, "end": params{"line": 14, "character": 0}},
		}, &e)
		if err != nil {
			return err
		}
		got(began, "%s, exit code %d", e.Verdict, e.ExitCode)
		const want = "line 1\nline 2\nline 3\n"
		if err := s.right(e.Verdict == "exited" && e.ExitCode == 0 && e.Output == want, "%+v", e); err != nil {
			return err
		}
		if err := s.right(lines.pieces >= 3 && lines.text == want, "output did not come as it was printed: %d pieces, %q", lines.pieces, lines.text); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) batch(ctx context.Context, l programs) error {
	chapter("The same code in two VMs, side by side")
	began := time.Now()
	var answer struct {
		Results []execution
		Groups  []struct{ VMIDs []int64 }
	}
	if err := s.ask(ctx, "vm/batchExecute", params{"code": l.host, "vmIds": []string{first, twin}}, &answer); err != nil {
		return err
	}
	for _, e := range answer.Results {
		say("  %s %-6s %s", dim("│"), e.VMName, inLine(e.Output))
	}
	got(began, "%d results, %d different answers", len(answer.Results), len(answer.Groups))
	ok := len(answer.Results) == 2 && len(answer.Groups) == 2
	for i, name := range []string{first, twin} {
		ok = ok && answer.Results[i].VMName == name && answer.Results[i].Output == "this is "+name+"\n"
	}
	return s.right(ok, "%+v", answer)
}

func (s *server) endless(ctx context.Context, l programs) error {
	chapter("An endless loop meets its time limit of 2 s; nobody else waits for it")
	done, running := make(chan error, 1), make(chan struct{})
	s.onOutput("loop", func(chunk) { close(running) }) // it prints nothing: the one piece is its id
	began := time.Now()
	var e execution
	go func() {
		done <- s.ask(ctx, "vm/execute", params{"id": first, "code": l.endless, "timeout": 2, "partialResultToken": "loop"}, &e)
	}()
	select {
	case <-running:
	case err := <-done:
		return fmt.Errorf("the endless loop has ended: %w", err)
	}
	asked := time.Now()
	var other execution
	if err := s.ask(ctx, "vm/execute", params{"id": first, "code": l.two}, &other); err != nil {
		return err
	}
	got(asked, "meanwhile, in the same VM: %s", inLine(other.Output))
	overtook := len(done) == 0
	if err := <-done; err != nil {
		return err
	}
	got(began, "%s after %.1f s", e.Verdict, e.ExecutionTime)
	if err := s.right(other.Output == "2\n" && overtook, "the other request had to wait: %+v", other); err != nil {
		return err
	}
	return s.right(e.Verdict == "timeout" && e.ExecutionTime >= 2 && e.ExecutionTime < 10, "%+v", e)
}

func (s *server) hog(ctx context.Context, l programs) error {
	chapter("A memory hog meets the VM's limit; the VM lives on")
	began := time.Now()
	var e execution
	if err := s.ask(ctx, "vm/execute", params{"id": first, "code": l.hog, "timeout": 30}, &e); err != nil {
		return err
	}
	got(began, "%s at %.0f MiB, exit code %d", e.Verdict, e.PeakMemoryMiB, e.ExitCode)
	if err := s.right(e.Verdict == "outOfMemory", "%+v", e); err != nil {
		return err
	}
	began = time.Now()
	if err := s.ask(ctx, "vm/execute", params{"id": first, "code": l.two}, &e); err != nil {
		return err
	}
	got(began, "%s", inLine(e.Output))
	return s.right(e.Output == "2\n", "%+v", e)
}

func (s *server) list(ctx context.Context) error {
	chapter("What is there?")
	began := time.Now()
	var answer struct{ VMs []vm }
	if err := s.ask(ctx, "vm/list", params{}, &answer); err != nil {
		return err
	}
	var names []string
	for _, m := range answer.VMs {
		names = append(names, m.Name)
		say("  %s %-6s %-8s %-11s %s", dim("│"), m.Name, m.Status, m.Language, m.Runtime)
	}
	got(began, "%d VMs", len(names))
	slices.Sort(names)
	return s.right(slices.Equal(names, []string{first, second, twin}), "%v", names)
}

func (s *server) delete(ctx context.Context, l programs) error {
	chapter("Everything is removed")
	for _, name := range []string{first, second, twin} {
		began := time.Now()
		if err := s.ask(ctx, "vm/delete", params{"id": name}, nil); err != nil {
			return err
		}
		got(began, "%s is gone", name)
		s.answers++
	}
	began := time.Now()
	err := s.ask(ctx, "vm/execute", params{"id": first, "code": l.two}, nil)
	var refused *failure
	if !errors.As(err, &refused) {
		return fmt.Errorf("wrong answer: code ran in a VM that is gone: %v", err)
	}
	got(began, "%s (%s)", refused.Message, refused.Data.Kind)
	return s.right(refused.Data.Kind == "notFound", "%v", refused)
}

func (s *server) shutdown(ctx context.Context) error {
	chapter("The editor closes")
	began := time.Now()
	sent("shutdown", params{})
	code, err := s.leave(ctx)
	if err != nil {
		return err
	}
	got(began, "the server has ended with exit code %d", code)
	return s.right(code == 0, "exit code %d", code)
}

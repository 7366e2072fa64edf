package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/itechsmart/vm/server/client"
)

func bare(name string, args ...string) func(context.Context) error {
	return func(ctx context.Context) error { return exec.CommandContext(ctx, name, args...).Run() }
}

// executeTrue measures the least that an execution can be.
func executeTrue(ctx context.Context, p *places, n int) (table, error) {
	return p.execution(ctx, n, "bash", "true", []string{"bash", "-c", "true"})
}

// executePython measures a one-liner in a fresh interpreter.
func executePython(ctx context.Context, p *places, n int) (table, error) {
	return p.execution(ctx, n, "python", "print(6 * 7)", []string{"python3", "-c", "print(6 * 7)"})
}

// execution compares a bare process, vm/execute in each place, and docker exec.
func (p *places) execution(ctx context.Context, n int, vm, code string, command []string) (table, error) {
	path, err := p.same(ctx, command[0])
	if err != nil {
		return table{}, err
	}
	contenders := []contender{{name: "bare `" + strings.Join(command[:2], " ") + "` on the host", do: bare(path, command[1:]...)}}
	for _, s := range p.servers {
		contenders = append(contenders, contender{name: "vm/execute, " + s.name, do: func(ctx context.Context) error {
			_, err := s.execute(ctx, vm, code)
			return err
		}})
	}
	if p.plain != "" {
		contenders = append(contenders, contender{name: "docker exec", do: func(ctx context.Context) error {
			_, err := p.docker(ctx, append([]string{"exec", p.plain}, command...)...)
			return err
		}})
	}
	return measure(ctx, n, contenders)
}

// same finds the program that the native VMs run by a name, so that the bare
// process is the same one: a version manager's shim would cost more.
func (p *places) same(ctx context.Context, name string) (string, error) {
	e, err := p.servers[0].execute(ctx, "bash", "command -v "+name)
	return strings.TrimSpace(e.Output), err
}

// createAndDelete measures a VM's shortest life.
func createAndDelete(ctx context.Context, p *places, n int) (table, error) {
	var contenders []contender
	for _, s := range p.servers {
		contenders = append(contenders, contender{name: "vm/create and vm/delete, " + s.name, do: func(ctx context.Context) error {
			if err := s.client.Call(ctx, "vm/create", map[string]any{"name": "short", "language": "bash"}, nil); err != nil {
				return err
			}
			return s.client.Call(ctx, "vm/delete", map[string]any{"id": "short", "force": true}, nil)
		}})
	}
	if p.plain != "" {
		contenders = append(contenders, contender{name: "docker run -d and docker rm -f", do: func(ctx context.Context) error {
			id, err := p.docker(ctx, "run", "-d", "--network=none", p.image, "sleep", "infinity")
			if err != nil {
				return err
			}
			_, err = p.docker(ctx, "rm", "-f", id)
			return err
		}})
	}
	return measure(ctx, max(1, n/5), contenders)
}

// startServer measures how long an editor waits for a server to be there.
func startServer(ctx context.Context, p *places, n int) (table, error) {
	s := p.servers[0]
	python, err := p.same(ctx, "python3")
	if err != nil {
		return table{}, err
	}
	return measure(ctx, max(1, n/5), []contender{
		{name: "bare `python3 -c pass` on the host", do: bare(python, "-c", "pass")},
		{name: "`vm serve`, until initialize is answered", do: func(ctx context.Context) error {
			c, err := s.serve(ctx)
			if err != nil {
				return err
			}
			return c.Kill()
		}},
		{name: "`vm list`, the whole command", do: func(ctx context.Context) error {
			cmd := exec.CommandContext(ctx, program, "--config", s.config, "list")
			cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+s.state)
			return cmd.Run()
		}},
	})
}

// idleMemory says how much memory servers and agents hold while nothing runs.
func idleMemory(ctx context.Context, p *places) (string, error) {
	var b strings.Builder
	b.WriteString("### Idle memory\n\nProportional set size, after the runs above.\n\n| | MiB |\n|---|---:|\n")
	for _, s := range p.servers {
		mib, err := proportional(s.client.Process())
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| `vm serve`, %s | %.1f |\n", s.name, mib)
	}
	fresh, err := p.servers[0].serve(ctx)
	if err != nil {
		return "", err
	}
	defer func(c *client.Client) { _ = c.Kill() }(fresh) // it holds nothing
	mib, err := proportional(fresh.Process())
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "| `vm serve`, just initialized | %.1f |\n", mib)
	return b.String(), nil
}

// proportional reads a process's Pss from smaps_rollup, proc(5), in MiB.
func proportional(pid int) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if kib, ok := strings.CutPrefix(lines.Text(), "Pss:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(kib, "kB")), 64)
			return n / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d tells no Pss", pid)
}

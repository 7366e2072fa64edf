package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime"
)

// createFlags are what can be said of a new VM beside its name and language.
type createFlags struct {
	runtime, template, image, snapshot, isolation, network string

	cpu                float64
	memory, disk       mebibytesFlag
	pids               int
	timeout, idle, ttl secondsFlag
	env, labels, allow []string
	packages           []string
}

func createCommand(t *terminal) *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:     "create <name> [language]",
		GroupID: groupVM,
		Short:   "Make a VM and start it",
		Long: `Make a VM and start it. A language chooses its image, or this machine's own
toolchain; without one the VM takes any code whose language is named.

A limit that is not given gets the default, held as hard as this machine can. A
limit that is given and cannot be held here is refused.`,
		Example: `  vm create web python
  vm create build go@1.23 --cpu 2 --memory 2G --network full
  vm create shop --template web --memory 2G
  vm create maths python --package numpy --package 'scipy>=1.10'
  vm create copy --snapshot web/before
  vm create crawl python --allow example.org --allow '*.example.net:8443' --ttl 1h`,
		Args: takes(1, 2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return t.languageNames(cmd, args, typed)
			}
			return nil, noFiles
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := f.params(cmd.Flags(), args)
			if err != nil {
				return err
			}
			return create(cmd.Context(), t, params)
		},
	}
	f.add(cmd, t)
	return cmd
}

func (f *createFlags) add(cmd *cobra.Command, t *terminal) {
	flags := cmd.Flags()
	flags.Float64Var(&f.cpu, "cpu", 0, "limit in `cores`, such as 0.5")
	flags.Var(&f.memory, "memory", "memory limit, such as 512M or 1.5G")
	flags.Var(&f.disk, "disk", "limit of what it may write, such as 10G")
	flags.IntVar(&f.pids, "pids", 0, "limit of processes and threads, a `number`")
	flags.Var(&f.timeout, "timeout", "time limit of executions that do not say, such as 30s")
	flags.Var(&f.idle, "idle", "stop it when unused for this time; 0 = never")
	flags.Var(&f.ttl, "ttl", "delete it after this time; 0 = never")
	flags.StringVar(&f.network, "network", "", "how far it reaches, a `mode`: none, full, or allowlist with --allow")
	flags.StringArrayVar(&f.allow, "allow", nil, "a `DOMAIN[:PORT]` that it may reach, such as example.org or *.example.org:8443; may be repeated")
	flags.StringArrayVarP(&f.env, "env", "e", nil, "environment of every execution, `KEY=VALUE`; may be repeated")
	flags.StringArrayVar(&f.labels, "label", nil, "a label to select by, `KEY=VALUE`; may be repeated")
	flags.StringArrayVar(&f.packages, "package", nil, "a `PACKAGE` of its language that is there from the start, whatever its network; may be repeated")
	flags.StringVar(&f.runtime, "runtime", "", "what it is made of: auto, docker, native")
	flags.StringVar(&f.template, "template", "", "`template` that says what is not said here; vm template list")
	flags.StringVar(&f.image, "image", "", "OCI `image` instead of the language's own")
	flags.StringVar(&f.snapshot, "snapshot", "", "begin with the files of another VM, `VM/SNAPSHOT`, and as that one for the rest")
	flags.StringVar(&f.isolation, "isolation", "", "the engine's own `runtime`, such as runsc")
	completeFlag(cmd, "runtime", words("auto", "docker", "native"))
	completeFlag(cmd, "template", t.templateNames)
	completeFlag(cmd, "network", words("none", "full", "allowlist"))
}

func (f *createFlags) params(flags *pflag.FlagSet, args []string) (handlers.CreateParams, error) {
	p := handlers.CreateParams{
		Name: args[0], Runtime: f.runtime, Template: f.template, Image: f.image, Isolation: f.isolation,
		CPULimit: given(flags, "cpu", f.cpu), PidsLimit: given(flags, "pids", f.pids),
		MemoryLimit: f.memory.value, DiskLimit: f.disk.value,
		Timeout: f.timeout.value, IdleTimeout: f.idle.value, TTL: f.ttl.value,
		Packages: f.packages, Tokens: withProgress,
	}
	if len(args) > 1 {
		p.Language = args[1]
	}
	if f.snapshot != "" {
		id := handlers.ParseID(f.snapshot)
		p.Snapshot = &id
	}
	p.Network = networkOf(f.network, f.allow)
	var err error
	if p.Env, err = pairsOf("env", f.env); err != nil {
		return p, err
	}
	p.Labels, err = pairsOf("label", f.labels)
	return p, err
}

// networkOf is the policy of the flags --network and --allow; nil = not given. A
// list alone says the mode.
func networkOf(mode string, allow []string) *handlers.Network {
	if mode == "" && len(allow) == 0 {
		return nil
	}
	return &handlers.Network{Mode: cmp.Or(runtime.NetworkMode(mode), runtime.NetworkAllowlist), Allow: allow}
}

func create(ctx context.Context, t *terminal, params handlers.CreateParams) error {
	began := time.Now()
	vm, err := call[handlers.VM](ctx, t, "vm/create", params)
	if err != nil {
		return err
	}
	took := time.Since(began)
	return print(t, vm, func(w io.Writer, p show.Palette, vm handlers.VM) error {
		_, err := fmt.Fprintf(w, "VM %s is %s, made of %s in %s\n",
			p.Paint(show.Bold, vm.Name), p.Paint(statusColour(vm.Status), vm.Status), madeOf(vm), show.Span(took))
		if err != nil {
			return err
		}
		if err := show.Fields(w, p, limitFields(vm)); err != nil {
			return err
		}
		t.say("%s vm execute %s %s", p.Paint(show.Dim, "next:"), vm.Name, greeting(vm.Language))
		return nil
	})
}

// greeting is a first program in a language.
func greeting(language string) string {
	id, _, _ := strings.Cut(language, "@")
	switch id {
	case "python":
		return `'print("hello")'`
	case "javascript", "typescript":
		return `'console.log("hello")'`
	case "bash":
		return `'echo hello'`
	case "":
		return `--language bash 'echo hello'`
	}
	return "-f FILE"
}

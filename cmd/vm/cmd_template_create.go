package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// templateFlags say what a new template holds.
type templateFlags struct {
	from, devcontainer, setup string // files

	language, image, description, setupUser, network string

	cpu          float64
	memory, disk mebibytesFlag
	pids         int
	env, labels  []string
	allow        []string
	packages     []string
	files        []string // of the host
}

func templateCreateCommand(t *terminal) *cobra.Command {
	var f templateFlags
	cmd := &cobra.Command{
		Use:     "create <name>",
		GroupID: groupVM,
		Short:   "Keep a template to make VMs from",
		Long: `Keep a template to make VMs from. A YAML file has the fields of vm/createTemplate
in docs/protocol.md; flags win over it, and both over a devcontainer.json.

Files come first, then packages of the language, then the set-up script: it is run
by the interpreter that its first line names (#!), or by a shell that ends at the
first command that fails. Where the runtime takes snapshots all this is done once,
for the first VM, and kept for the others until the template says something else.`,
		Example: `  vm template create plots -l python --package matplotlib --file style.mplstyle
  vm template create web --language python --memory 1G --setup setup.sh
  vm template create web -f web.yaml
  vm template create shop --devcontainer .devcontainer/devcontainer.json`,
		Args:              takes(1, 1),
		ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := f.params(cmd.Flags(), t, args[0])
			if err != nil {
				return err
			}
			return createTemplate(cmd.Context(), t, params)
		},
	}
	f.add(cmd, t)
	return cmd
}

func (f *templateFlags) add(cmd *cobra.Command, t *terminal) {
	flags := cmd.Flags()
	flags.StringVarP(&f.from, "from", "f", "", "YAML `file` that says all this; - for standard input")
	flags.StringVar(&f.devcontainer, "devcontainer", "", "devcontainer.json `file` to take over what is supported of")
	flags.StringVarP(&f.language, "language", "l", "", "`language` of its VMs, with @version to ask for one")
	flags.StringVar(&f.image, "image", "", "OCI `image` instead of the language's own")
	flags.StringArrayVar(&f.packages, "package", nil, "a `PACKAGE` of the language; may be repeated")
	flags.StringArrayVar(&f.files, "file", nil, "place a file, `HOST[:GUEST]`; may be repeated")
	flags.StringVar(&f.setup, "setup", "", "`file` with the script that sets a VM up")
	flags.StringVar(&f.setupUser, "setup-user", "", "who runs it in the VM: sandbox or root")
	flags.Float64Var(&f.cpu, "cpu", 0, "limit in `cores`, such as 0.5")
	flags.Var(&f.memory, "memory", "memory limit, such as 512M or 1.5G")
	flags.Var(&f.disk, "disk", "limit of what a VM may write, such as 10G")
	flags.IntVar(&f.pids, "pids", 0, "limit of processes and threads, a `number`")
	flags.StringVar(&f.network, "network", "", "how far its VMs reach, a `mode`: none, full, or allowlist with --allow")
	flags.StringArrayVar(&f.allow, "allow", nil, "a `DOMAIN[:PORT]` that its VMs may reach; may be repeated")
	flags.StringArrayVarP(&f.env, "env", "e", nil, "environment of every execution, `KEY=VALUE`; may be repeated")
	flags.StringArrayVar(&f.labels, "label", nil, "a label for its VMs, `KEY=VALUE`; may be repeated")
	flags.StringVar(&f.description, "description", "", "one `line` about it")
	completeFlag(cmd, "language", t.languageNames)
	completeFlag(cmd, "setup-user", words("sandbox", "root"))
	completeFlag(cmd, "network", words("none", "full", "allowlist"))
}

// params are those of vm/createTemplate: the YAML file's, with the flags' over
// them. They stay untyped, so that the method itself names a field that is wrong.
func (f *templateFlags) params(flags *pflag.FlagSet, t *terminal, name string) (map[string]any, error) {
	params, err := f.fromFile(t)
	if err != nil {
		return nil, err
	}
	params["name"] = name
	for param, value := range map[string]string{
		"language": f.language, "image": f.image, "description": f.description, "setupUser": f.setupUser,
	} {
		if value != "" {
			params[param] = value
		}
	}
	if n := networkOf(f.network, f.allow); n != nil {
		params["network"] = n
	}
	for param, file := range map[string]string{"setup": f.setup, "devcontainer": f.devcontainer} {
		if file == "" {
			continue
		}
		if params[param], err = t.text(file); err != nil {
			return nil, err
		}
	}
	for param, list := range map[string][]string{"env": f.env, "labels": f.labels} {
		pairs, err := pairsOf(map[string]string{"env": "env", "labels": "label"}[param], list)
		if err != nil {
			return nil, err
		}
		over(params, param, anyValues(pairs))
	}
	over(params, "limits", f.limits(flags))
	if len(f.packages) > 0 {
		params["packages"] = f.packages
	}
	if len(f.files) > 0 {
		params["files"], err = beside(f.files)
	}
	return params, err
}

// limits are those that were given.
func (f *templateFlags) limits(flags *pflag.FlagSet) map[string]any {
	limits := map[string]any{}
	if flags.Changed("cpu") {
		limits["cpu"] = f.cpu
	}
	if f.memory.value != nil {
		limits["memory"] = *f.memory.value
	}
	if f.disk.value != nil {
		limits["disk"] = *f.disk.value
	}
	if flags.Changed("pids") {
		limits["pids"] = f.pids
	}
	return limits
}

// fromFile reads the YAML file, if there is one.
func (f *templateFlags) fromFile(t *terminal) (map[string]any, error) {
	params := map[string]any{}
	if f.from == "" {
		return params, nil
	}
	text, err := t.text(f.from)
	if err != nil {
		return nil, err
	}
	err = yaml.Unmarshal([]byte(text), &params)
	if err == nil {
		_, err = json.Marshal(params) // YAML knows keys that are no text
	}
	if err != nil || params == nil {
		return nil, usage("docs/protocol.md lists its fields, at CreateTemplateParams", "%s is not a template in YAML: %v", f.from, err)
	}
	return params, nil
}

// text reads a file, or standard input.
func (t *terminal) text(file string) (string, error) {
	var text []byte
	var err error
	if file == fromStdin {
		text, err = io.ReadAll(t.stdin)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return "", usage("", "the file cannot be read: %v", err)
	}
	return string(text), nil
}

// over lays entries over those that an object among the params has.
func over(params map[string]any, param string, entries map[string]any) {
	if len(entries) == 0 {
		return
	}
	object, ok := params[param].(map[string]any)
	if !ok {
		params[param] = entries
		return
	}
	maps.Copy(object, entries)
}

func anyValues(pairs map[string]string) map[string]any {
	values := make(map[string]any, len(pairs))
	for key, value := range pairs {
		values[key] = value
	}
	return values
}

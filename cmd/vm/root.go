package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// commands is everything that vm can do: a new command is a file and a line
// here. Help lists them by group, in this order.
func commands(t *terminal) []*cobra.Command {
	return []*cobra.Command{
		runCommand(t), executeCommand(t), batchCommand(t), attachCommand(t), executionsCommand(t), sessionsCommand(t), shellCommand(t), installCommand(t),
		createCommand(t), listCommand(t), statusCommand(t), startCommand(t), stopCommand(t), restartCommand(t), deleteCommand(t), logsCommand(t),
		snapshotCommand(t), snapshotsCommand(t), diffCommand(t), restoreCommand(t), undoCommand(t),
		templateCommand(t), lsCommand(t), cpCommand(t),
		poolCommand(t), languagesCommand(t), eventsCommand(t), doctorCommand(t), gcCommand(t),
		serveCommand(t), versionCommand(t),
	}
}

// Groups of commands.
const (
	groupRun     = "run"
	groupVM      = "vm"
	groupPool    = "pool"
	groupProgram = "program"
)

// run runs the command line and returns the exit code.
func run(args []string) int {
	t := newTerminal()
	defer t.close()
	ctx, stop := interruptible()
	defer stop()

	root := rootCommand(t)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	t.status.end()
	t.report(err)
	return exitCode(ctx, err, cmd)
}

func rootCommand(t *terminal) *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{
		Use:   "vm",
		Short: "Run code in sandboxes",
		Long: `vm runs code in sandboxes: VMs with limits on time, memory, disk, processes
and network, made of containers or of this machine's own kernel.`,
		Example: `  vm run -l python 'print(6 * 7)'
  vm create web python && vm execute web -f app.py --timeout 5s`,
		Annotations: map[string]string{annotationExit: `0  done            2  called in a wrong way
1  failed          130  interrupted
vm run, execute and attach exit as the program did; see vm execute --help.`},
		Version:       version,
		SilenceErrors: true, SilenceUsage: true,
		Args: known,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("vm {{.Version}}\n")
	root.PersistentFlags().BoolVar(&t.json, "json", false, "print results as JSON, as docs/protocol.md describes them")
	root.PersistentFlags().StringVar(&t.configFile, "config", "", "configuration `file` instead of the user's own")
	root.PersistentFlags().BoolVarP(&t.verbose, "verbose", "v", false, "log to standard error what happens below")
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run code"},
		&cobra.Group{ID: groupVM, Title: "VMs"},
		&cobra.Group{ID: groupPool, Title: "The pool"},
		&cobra.Group{ID: groupProgram, Title: "This program"},
	)
	for _, cmd := range commands(t) {
		cmd.GroupID = cmp.Or(cmd.GroupID, groupProgram)
		root.AddCommand(cmd)
	}
	root.SetHelpCommandGroupID(groupProgram)
	root.SetCompletionCommandGroupID(groupProgram)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(cmd.CommandPath()+" --help shows its flags", "%s", err)
	})
	setHelp(root, t)
	return root
}

// known refuses a command that there is not, with the nearest ones.
func known(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "vm --help lists the commands"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean vm " + strings.Join(near, ", or vm ") + "?"
	}
	return usage(hint, "there is no command %q", args[0])
}

// takes checks how many arguments a command gets; names says what they are, in
// the words of its usage line.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "usage: " + cmd.UseLine()
		switch {
		case len(args) < least && len(args) == 0:
			return usage(hint, "%s needs %s", cmd.CommandPath(), counted(least, most))
		case len(args) < least:
			return usage(hint, "%s needs %s, not just %q", cmd.CommandPath(), counted(least, most), strings.Join(args, " "))
		case most >= 0 && len(args) > most:
			return usage(hint, "%s does not know what to do with %q", cmd.CommandPath(), strings.Join(args[most:], " "))
		}
		return nil
	}
}

func counted(least, most int) string {
	switch {
	case least == 1 && most < 0:
		return "at least one argument"
	case least == 1:
		return "an argument"
	}
	return fmt.Sprintf("%d arguments", least)
}

// errSilent is a failure that has been reported already.
var errSilent = errors.New("reported")

package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
)

// annotationExit names the annotation with a command's exit codes.
const annotationExit = "exit"

// helpTemplate is for every command; title, line and indent are set in setHelp.
const helpTemplate = `{{with or .Long .Short}}{{.}}

{{end}}{{title "Usage"}}
{{if .HasAvailableSubCommands}}  {{.CommandPath}} <command>
{{else}}  {{.UseLine}}
{{end}}{{if .Aliases}}
{{title "Also"}}
  {{join .Aliases ", "}}
{{end}}{{if .HasExample}}
{{title "Examples"}}
{{.Example}}
{{end}}{{if .HasAvailableSubCommands}}{{$commands := .Commands}}{{range $group := .Groups}}
{{title .Title}}
{{range $commands}}{{if and (eq .GroupID $group.ID) (or .IsAvailableCommand (eq .Name "help"))}}  {{rpad .Name .NamePadding}}  {{.Short}}
{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}
{{title "Flags"}}
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableInheritedFlags}}
{{title "Flags of every command"}}
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{with index .Annotations "exit"}}
{{title "Exit codes"}}
{{indent .}}
{{end}}{{if .HasAvailableSubCommands}}
vm <command> --help tells more. Begin with: vm doctor
{{end}}`

// setHelp gives every command the same layout of help.
func setHelp(root *cobra.Command, t *terminal) {
	cobra.AddTemplateFunc("title", func(s string) string { return t.palette(t.stdout).Paint(show.Bold, s) })
	cobra.AddTemplateFunc("join", strings.Join)
	cobra.AddTemplateFunc("indent", func(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") })
	root.SetHelpTemplate(helpTemplate)
}

package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/itechsmart/vm/handlers"
)

const preamble = `<!-- Generated from the method table by ` + "`go generate ./handlers`" + `. Do not edit. -->
# Protocol

` + "`vm serve`" + ` speaks JSON-RPC 2.0 over standard input and output in the base protocol of the Language Server Protocol. Names are camelCase, times RFC 3339 in UTC, durations seconds, memory and disk MiB, CPU cores.

Every request is also a ` + "`workspace/executeCommand`" + ` command: its name with a dot for the slash, and one argument, the params. The terminal column names the command that calls the same method; the REST column is reserved for the HTTP server, below ` + "`/api`" + `.

Every request takes a ` + "`workDoneToken`" + ` (progress of what is slow) and can be cancelled with ` + "`$/cancelRequest`" + `. Where output comes, a ` + "`partialResultToken`" + ` has it sent as it is written.

`

// markdown writes the reference of methods, objects and errors.
func markdown() string {
	var b strings.Builder
	b.WriteString(preamble)
	b.WriteString("## Requests\n\n| method | what it does | params | result | REST | terminal |\n|---|---|---|---|---|---|\n")
	for _, m := range handlers.Methods() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", m.Name, m.Summary, link(m.Params), link(m.Result), code(m.REST), code(m.Command))
	}
	b.WriteString("\n## Notifications from the server\n\n| method | when | params |\n|---|---|---|\n")
	for _, n := range notifications {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", n.name, n.summary, link(n.params))
	}
	b.WriteString("\n## Objects\n")
	for _, t := range structs() {
		if len(fields(t)) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n| field | type | |\n|---|---|---|\n", t.Name())
		for _, f := range fields(t) {
			mark := ""
			if f.optional {
				mark = "?"
			}
			fmt.Fprintf(&b, "| `%s%s` | %s | %s |\n", f.name, mark, cell(spellField(f)), f.doc)
		}
	}
	b.WriteString("\n## Errors\n\n`{code, message, data: {kind, field?, hint?}}`: the message is for a person, the hint says what to do.\n\n| code | kind |\n|---|---|\n")
	for _, e := range handlers.ErrorKinds() {
		fmt.Fprintf(&b, "| %d | `%s` |\n", e.Code, e.Data.Kind)
	}
	return b.String()
}

// link names an object and leads to its table.
func link(t reflect.Type) string {
	if t.Kind() == reflect.Slice {
		return link(t.Elem()) + "[]"
	}
	if len(fields(t)) == 0 {
		return "`{}`"
	}
	return fmt.Sprintf("[%s](#%s)", t.Name(), strings.ToLower(t.Name()))
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

// cell is text that is safe inside a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

package main

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/itechsmart/vm/handlers"
)

// typescript writes the types that the extension sees the server by.
func typescript() string {
	var b strings.Builder
	b.WriteString("// Generated from the method table by `go generate ./handlers`. Do not edit.\n")
	byName := func(x, y reflect.Type) int { return cmp.Compare(x.Name(), y.Name()) }
	for _, t := range slices.SortedFunc(maps.Keys(enums), byName) {
		fmt.Fprintf(&b, "\nexport type %s = %s;\n", t.Name(), quoted(enums[t]))
	}
	for _, t := range structs() {
		fmt.Fprintf(&b, "\nexport interface %s {\n", t.Name())
		for _, f := range fields(t) {
			if f.doc != "" {
				fmt.Fprintf(&b, "  /** %s */\n", f.doc)
			}
			mark := ""
			if f.optional {
				mark = "?"
			}
			fmt.Fprintf(&b, "  %s%s: %s;\n", f.name, mark, spellField(f))
		}
		b.WriteString("}\n")
	}
	b.WriteString("\n/** Requests by method: what each takes and answers. */\nexport interface Requests {\n")
	for _, m := range handlers.Methods() {
		fmt.Fprintf(&b, "  /** %s */\n  %q: { params: %s; result: %s };\n", m.Summary, m.Name, spell(m.Params), spell(m.Result))
	}
	b.WriteString("}\n\n/** Notifications from the server. */\nexport interface Notifications {\n")
	for _, n := range notifications {
		if !strings.HasPrefix(n.name, "$/") {
			fmt.Fprintf(&b, "  /** %s */\n  %q: %s;\n", n.summary, n.name, spell(n.params))
		}
	}
	b.WriteString("}\n")
	return b.String()
}

package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime"
)

// notifications are the server's own messages and the types of their params.
var notifications = []struct {
	name, summary string
	params        reflect.Type
}{
	{"vm/event", "A security event, as it happens.", reflect.TypeFor[handlers.Event]()},
	{"vm/changed", "A VM was created, updated or deleted, by whatever process on the same database.", reflect.TypeFor[handlers.Changed]()},
	{"vm/terminalOutput", "What an open terminal shows, on the connection that opened or followed it.", reflect.TypeFor[handlers.TerminalOutput]()},
	{"$/progress", "With a partialResultToken: output as it comes, as the value.", reflect.TypeFor[handlers.OutputChunk]()},
}

// field is a field of an object on the wire.
type field struct {
	name     string
	of       reflect.Type
	optional bool
	doc      string
	enum     []string
}

// fields lists a struct's fields in the order of their declaration, those of
// embedded structs in their place.
func fields(t reflect.Type) []field {
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			list = append(list, fields(f.Type)...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		of := field{name: name, of: f.Type, doc: f.Tag.Get("doc"), optional: strings.Contains(options, "omit")}
		if values := f.Tag.Get("enum"); values != "" {
			of.enum = strings.Split(values, ",")
		}
		list = append(list, of)
	}
	return list
}

// enums are named string types with a closed set of values.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[runtime.Strength]():    {string(runtime.Hard), string(runtime.Watched), string(runtime.None)},
	reflect.TypeFor[runtime.NetworkMode](): {string(runtime.NetworkNone), string(runtime.NetworkAllowlist), string(runtime.NetworkFull)},
}

// special are types whose form on the wire is not that of their Go fields.
var special = map[reflect.Type]string{
	reflect.TypeFor[handlers.ID]():      "number | string",
	reflect.TypeFor[handlers.Network](): "Network | NetworkMode",
	reflect.TypeFor[time.Time]():        "string",
	reflect.TypeFor[json.RawMessage]():  "number | string",
	reflect.TypeFor[[]byte]():           "string",
}

// spell writes a type in TypeScript's notation, which documentation uses too.
func spell(t reflect.Type) string {
	if s, ok := special[t]; ok {
		return s
	}
	if _, ok := enums[t]; ok {
		return t.Name()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return spell(t.Elem()) + " | null"
	case reflect.Slice:
		if inner := spell(t.Elem()); strings.Contains(inner, " ") {
			return "(" + inner + ")[]"
		}
		return spell(t.Elem()) + "[]"
	case reflect.Map:
		return "Record<string, " + spell(t.Elem()) + ">"
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Interface:
		return "unknown"
	case reflect.Struct:
		return t.Name()
	}
	return "number"
}

// spellField is a field's type, its listed values if it has any.
func spellField(f field) string {
	if f.enum != nil {
		return quoted(f.enum)
	}
	s := spell(f.of)
	if f.optional {
		s = strings.TrimSuffix(s, " | null") // absent, never null
	}
	return s
}

func quoted(values []string) string { return `"` + strings.Join(values, `" | "`) + `"` }

// structs lists every object type of the wire contract, each once, in the order
// in which the methods and notifications mention them.
func structs() []reflect.Type {
	var list []reflect.Type
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(t.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if t == reflect.TypeFor[handlers.Network]() {
			t = reflect.TypeFor[runtime.Network]()
		}
		if _, ok := special[t]; ok || slices.Contains(list, t) {
			return
		}
		list = append(list, t)
		for _, f := range fields(t) {
			visit(f.of)
		}
	}
	for _, m := range handlers.Methods() {
		visit(m.Params)
		visit(m.Result)
	}
	for _, n := range notifications {
		visit(n.params)
	}
	return list
}

package db

import (
	"strings"

	"github.com/uptrace/bun/schema"
)

// plainText is a dialect that takes any string. PostgreSQL's text refuses NUL,
// and bun makes invalid SQL of it; a program in a VM can put one into most of
// what we store about it, and must not make that fail. Invalid UTF-8 becomes
// U+FFFD in bun already; NUL does so here.
type plainText struct{ schema.Dialect }

// AppendString appends s as a literal.
func (d plainText) AppendString(b []byte, s string) []byte {
	return d.Dialect.AppendString(b, strings.ReplaceAll(s, "\x00", "\uFFFD"))
}

// AppendJSON appends JSON text as it is: bun would alter its \u0000 escapes,
// for the sake of a type that we do not use.
func (d plainText) AppendJSON(b, json []byte) []byte {
	return d.Dialect.AppendString(b, string(json))
}

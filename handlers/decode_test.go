package handlers

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeNamesTheFieldAtFault(t *testing.T) {
	for name, c := range map[string]struct {
		into    any
		params  string
		field   string
		message string // part of it
	}{
		"unknown field":        {new(CreateParams), `{"name":"a","colour":1}`, "colour", "there is no parameter"},
		"unknown, deep":        {new(CreateParams), `{"name":"a","network":{"mode":"none","x":1}}`, "network.x", "there are mode, allow"},
		"unknown, in a list":   {new(ExecuteParams), `{"code":"1","files":[{"path":"a"},{"path":"b","x":1}]}`, "files[1].x", "there are path, content"},
		"unknown, in a map":    {new(Settings), `{"languages":{"zig":{"colour":1}}}`, "languages.zig.colour", "there are "},
		"wrong type, embedded": {new(ExecuteParams), `{"code":"1","range":{"start":{"line":"x"}}}`, "range.start.line", "range.start.line must be an integer"},
		"not a time":           {new(EventsParams), `{"since":"yesterday"}`, "since", "since must be a time"},
		"missing":              {new(CreateParams), `{}`, "name", "name is missing"},
		"null params":          {new(IDParams), `null`, "id", "id is missing"},
		"an empty list":        {new(IDParams), `[]`, "id", "id is missing"},
		"a list":               {new(IDParams), `[1]`, "", "params must be an object with named fields"},
		"no params":            {new(IDParams), ``, "id", "id is missing"},
		"wrong type":           {new(CreateParams), `{"name":7}`, "name", "name must be a string, not number"},
		"fraction for integer": {new(CreateParams), `{"name":"a","memoryLimit":1.5}`, "memoryLimit", "memoryLimit must be an integer, not number 1.5"},
		"out of range":         {new(CreateParams), `{"name":"a","memoryLimit":99999999999999999999}`, "memoryLimit", "must be an integer"},
		"fractional id":        {new(IDParams), `{"id":1.5}`, "id", "id must be a VM's id"},
		"negative id":          {new(IDParams), `{"id":-1}`, "id", "id must be a VM's id"},
		"object as id":         {new(IDParams), `{"id":{}}`, "id", "id must be a VM's id"},
		"not in the list":      {new(ListParams), `{"status":"sleeping"}`, "status", "it must be one of creating, running"},
		"deep in a list":       {new(ExecuteParams), `{"code":"1","files":[{"path":"a","content":""},{"content":""}]}`, "files[1].path", "files[1].path is missing"},
		"an array":             {new(IDParams), `[1]`, "", "params must be an object"},
		"a number":             {new(IDParams), `3`, "", "params must be an object"},
	} {
		err := decode(json.RawMessage(c.params), c.into)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: decode(%s) = %v, want an *Error", name, c.params, err)
			continue
		}
		if e.Code != CodeInvalidParams || e.Data.Kind != "invalidParams" || e.Data.Field != c.field || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s: decode(%s) = %d %q field %q, want field %q and a message with %q", name, c.params, e.Code, e.Message, e.Data.Field, c.field, c.message)
		}
	}
}

func TestDecodeTakesBothFormsOfAnID(t *testing.T) {
	for params, want := range map[string]ID{
		`{"id":7}`:        {Number: 7},
		`{"id":"python"}`: {Name: "python"},
		`{"id":"7"}`:      {Name: "7"},
	} {
		var p IDParams
		if err := decode(json.RawMessage(params), &p); err != nil {
			t.Errorf("decode(%s): %v", params, err)
		}
		if diff := cmp.Diff(want, p.ID); diff != "" {
			t.Errorf("decode(%s) (-want +got):\n%s", params, diff)
		}
	}
}

func TestDecodeTakesANetworkModeAlone(t *testing.T) {
	for _, params := range []string{`{"name":"a","network":"full"}`, `{"name":"a","network":{"mode":"full"}}`} {
		var p CreateParams
		if err := decode(json.RawMessage(params), &p); err != nil || p.Network == nil || p.Network.Mode != "full" {
			t.Errorf("decode(%s) = %+v, %v, want mode full", params, p.Network, err)
		}
	}
}

func TestEveryMethodIsDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Methods() {
		if seen[m.Name] || m.Summary == "" || !strings.HasSuffix(m.Summary, ".") {
			t.Errorf("%s: a row has a name of its own and a summary that is a sentence", m.Name)
		}
		seen[m.Name] = true
	}
}

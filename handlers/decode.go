package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// decode reads params into a struct and checks them against its tags: unknown
// fields are refused, `required` ones must be there, `enum` ones hold a value
// that is listed. The error names the field.
func decode(raw json.RawMessage, into any) error {
	raw = bytes.TrimSpace(raw)
	// An empty list is how Lua, and so Neovim, writes an empty table.
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) || bytes.Equal(raw, []byte("[]")) {
		raw = json.RawMessage("{}")
	}
	if raw[0] != '{' {
		return badParams("", "params must be an object with named fields")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return explain(err, raw, reflect.TypeOf(into).Elem())
	}
	return check(reflect.ValueOf(into).Elem(), "")
}

// explain turns a decoder's error on params into one for a person.
func explain(err error, raw json.RawMessage, params reflect.Type) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		field := wirePath(params, wrong.Field)
		return badParams(field, fmt.Sprintf("%s must be %s, not %s", orParams(field), describe(wrong.Type), wrong.Value))
	}
	if field, known := unknownField(raw, params, ""); field != "" {
		return badParams(short(field), fmt.Sprintf("there is no parameter %q here; there are %s", short(field), strings.Join(known, ", ")))
	}
	if field := unreadableTime(raw, params); field != "" {
		return badParams(field, field+" must be a time such as 2026-01-31T15:04:05Z")
	}
	return badParams("", "params could not be read: "+strings.TrimPrefix(err.Error(), "json: "))
}

func badParams(field, message string) *Error {
	return &Error{Code: CodeInvalidParams, Message: message, Data: &ErrorData{Kind: "invalidParams", Field: field}}
}

func orParams(field string) string {
	if field == "" {
		return "params"
	}
	return field
}

// short keeps what a client sent from filling a message.
func short(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// describe names a Go type in the words of JSON.
func describe(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[ID]():
		return "a VM's id (an integer above 0) or its name (a string)"
	case reflect.TypeFor[Network]():
		return `a network policy such as {"mode": "none"}, or a mode`
	}
	switch t.Kind() {
	case reflect.Pointer:
		return describe(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint32:
		return "an integer"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "another type"
}

// check walks a struct's fields along their tags.
func check(v reflect.Value, path string) error {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if field.Anonymous {
			if err := check(value, path); err != nil {
				return err
			}
			continue
		}
		name := path + jsonName(field)
		if field.Tag.Get("required") == "true" && value.IsZero() {
			return badParams(name, name+" is missing")
		}
		if values := field.Tag.Get("enum"); values != "" && !value.IsZero() && !slices.Contains(strings.Split(values, ","), value.String()) {
			return badParams(name, fmt.Sprintf("%s is %q; it must be one of %s", name, short(value.String()), strings.ReplaceAll(values, ",", ", ")))
		}
		if value.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct {
			for j := range value.Len() {
				if err := check(value.Index(j), fmt.Sprintf("%s[%d].", name, j)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// jsonName is a field's name on the wire.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

package handlers

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// encoding/json says that a field is unknown or that a time cannot be read, and
// not where. These find it, in params that were refused.

// unknownField returns the path of a field that t does not have, and the names
// that it does have there.
func unknownField(raw json.RawMessage, t reflect.Type, path string) (field string, known []string) {
	switch t.Kind() {
	case reflect.Pointer:
		return unknownField(raw, t.Elem(), path)
	case reflect.Struct:
		return unknownInObject(raw, t, path)
	case reflect.Slice:
		var items []json.RawMessage
		_ = json.Unmarshal(raw, &items) // what is no list has no fields
		for i, item := range items {
			if field, known = unknownField(item, t.Elem(), fmt.Sprintf("%s[%d].", strings.TrimSuffix(path, "."), i)); field != "" {
				return field, known
			}
		}
	case reflect.Map:
		for _, key := range sortedKeys(raw) {
			if field, known = unknownField(members(raw)[key], t.Elem(), path+key+"."); field != "" {
				return field, known
			}
		}
	}
	return "", nil
}

func unknownInObject(raw json.RawMessage, t reflect.Type, path string) (field string, known []string) {
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		if name := jsonName(f); !f.Anonymous && name != "" {
			fields[name], known = f.Type, append(known, name)
		}
	}
	if len(known) == 0 {
		return "", nil // read by a method of its own
	}
	values := members(raw)
	for _, key := range sortedKeys(raw) {
		// encoding/json does not mind the case of names.
		i := slices.IndexFunc(known, func(name string) bool { return strings.EqualFold(name, key) })
		if i < 0 {
			return path + key, known
		}
		if field, deeper := unknownField(values[key], fields[known[i]], path+known[i]+"."); field != "" {
			return field, deeper
		}
	}
	return "", nil
}

// unreadableTime returns the name of a field of t that is to hold a time and
// does not.
func unreadableTime(raw json.RawMessage, t reflect.Type) string {
	values := members(raw)
	for _, f := range reflect.VisibleFields(t) {
		if f.Type == reflect.TypeFor[*time.Time]() && json.Unmarshal(values[jsonName(f)], new(time.Time)) != nil {
			return jsonName(f)
		}
	}
	return ""
}

// wirePath takes the names of embedded structs, which the wire does not have,
// out of a path that encoding/json reports.
func wirePath(t reflect.Type, path string) string {
	for {
		first, rest, _ := strings.Cut(path, ".")
		f, ok := t.FieldByName(first)
		if !ok || !f.Anonymous {
			return path
		}
		t, path = f.Type, rest
	}
}

func members(raw json.RawMessage) map[string]json.RawMessage {
	var values map[string]json.RawMessage
	_ = json.Unmarshal(raw, &values) // what is no object has no members
	return values
}

func sortedKeys(raw json.RawMessage) []string {
	var keys []string
	for key := range members(raw) {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

package lang

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/itechsmart/vm/runtime"
)

// ErrUnknown: no row has that name.
var ErrUnknown = errors.New("unknown language")

// ErrInvalidVersion: the part after the @ cannot be a version.
var ErrInvalidVersion = errors.New("invalid version")

// Table finds languages. It does not change; its methods may be called from
// several goroutines.
type Table struct {
	languages []Language
	byName    map[string]int // ids and aliases
	byExt     map[string]int
	byEditor  map[string]int // LSP language ids
}

// New returns the built-in rows with overrides applied to them, by id; an id
// that is not built in adds a row. It fails when an override makes no sense, and
// names the field.
func New(overrides map[string]Override) (*Table, error) {
	languages := rows()
	for _, id := range slices.Sorted(maps.Keys(overrides)) {
		at := slices.IndexFunc(languages, func(l Language) bool { return l.ID == id })
		if at < 0 {
			languages = append(languages, Language{ID: id, Name: id})
			at = len(languages) - 1
		}
		if err := overrides[id].apply(&languages[at]); err != nil {
			return nil, fmt.Errorf("languages.%s.%w", id, err)
		}
	}
	slices.SortStableFunc(languages, func(a, b Language) int { return cmp.Compare(a.ID, b.ID) })
	return index(languages)
}

// index fails when two rows claim the same name, extension or editor's id.
func index(languages []Language) (*Table, error) {
	t := &Table{languages: languages, byName: map[string]int{}, byExt: map[string]int{}, byEditor: map[string]int{}}
	for i, l := range languages {
		for _, claim := range []struct {
			in     map[string]int
			values []string
			field  string
		}{
			{t.byName, append([]string{l.ID}, l.Aliases...), "aliases"},
			{t.byExt, l.Extensions, "extensions"},
			{t.byEditor, l.LanguageIDs, "languageIds"},
		} {
			for _, v := range claim.values {
				if other, taken := claim.in[v]; taken && other != i {
					return nil, fmt.Errorf("languages.%s.%s: %q already belongs to %s", l.ID, claim.field, v, languages[other].ID)
				}
				claim.in[v] = i
			}
		}
	}
	return t, nil
}

// versionPattern keeps what comes after the @ fit for an image tag and a program name.
var versionPattern = pattern(`^[0-9][0-9A-Za-z._-]{0,30}$`)

// Find takes an id, an alias or an editor's language id, in any case, with an
// optional version: "python", "py", "python@3.12". It fails with ErrUnknown or
// ErrInvalidVersion and a hint.
func (t *Table) Find(name string) (Language, string, error) {
	id, v, versioned := strings.Cut(strings.TrimSpace(name), "@")
	id = strings.ToLower(id)
	at, found := t.byName[id]
	if !found {
		at, found = t.byEditor[id]
	}
	if !found {
		return Language{}, "", runtime.WithHint(fmt.Errorf("%w: %.40q", ErrUnknown, id), "one of "+t.names())
	}
	l := t.languages[at]
	if versioned && !versionPattern().MatchString(v) {
		example := l.ID + "@" + cmp.Or(l.DefaultVersion, "1.0")
		return Language{}, "", runtime.WithHint(fmt.Errorf("%w: %.40q", ErrInvalidVersion, v), "write it as "+example)
	}
	return l, v, nil
}

// ForFile returns the language of a file by its extension.
func (t *Table) ForFile(name string) (Language, bool) {
	at, found := t.byExt[strings.ToLower(path.Ext(name))]
	if !found {
		return Language{}, false
	}
	return t.languages[at], true
}

// Languages returns all rows, ordered by id.
func (t *Table) Languages() []Language { return slices.Clone(t.languages) }

func (t *Table) names() string {
	ids := make([]string, len(t.languages))
	for i, l := range t.languages {
		ids[i] = l.ID
	}
	return strings.Join(ids, ", ")
}

// sourceExtensions are those of the built-in languages, and of files that
// sources of theirs include.
var sourceExtensions = func() map[string]bool {
	known := map[string]bool{".h": true, ".hh": true, ".hpp": true, ".inc": true, ".json": true}
	for _, l := range rows() {
		for _, ext := range l.Extensions {
			known[ext] = true
		}
	}
	return known
}()

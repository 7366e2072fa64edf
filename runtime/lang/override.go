package lang

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Override is what a user's configuration says about one language: an empty
// field leaves the built-in row as it is. For the templates see Language.
type Override struct {
	Name           string   `json:"name,omitempty" yaml:"name"`
	Aliases        []string `json:"aliases,omitempty" yaml:"aliases"`
	Extensions     []string `json:"extensions,omitempty" yaml:"extensions"`
	LanguageIDs    []string `json:"languageIds,omitempty" yaml:"languageIds"`
	FileName       string   `json:"fileName,omitempty" yaml:"fileName"`
	Build          []string `json:"build,omitempty" yaml:"build"`
	Run            []string `json:"run,omitempty" yaml:"run"`
	Session        []string `json:"session,omitempty" yaml:"session"` // starts a kernel for sessions
	Env            []string `json:"env,omitempty" yaml:"env"`
	Image          string   `json:"image,omitempty" yaml:"image"` // %s stands for the version
	DefaultVersion string   `json:"defaultVersion,omitempty" yaml:"defaultVersion"`
	Versioned      string   `json:"versioned,omitempty" yaml:"versioned"` // a host's program of one version, with %s
	Version        []string `json:"versionCommand,omitempty" yaml:"versionCommand"`
	Manager        string   `json:"manager,omitempty" yaml:"manager"` // package manager, such as pip
}

// apply lays the override over a row and checks the outcome. Errors begin with
// the field's name.
func (o Override) apply(l *Language) error {
	set(&l.Name, o.Name)
	set(&l.FileName, o.FileName)
	set(&l.Image, o.Image)
	set(&l.DefaultVersion, o.DefaultVersion)
	set(&l.Versioned, o.Versioned)
	set(&l.Manager, o.Manager)
	setList(&l.Aliases, o.Aliases)
	setList(&l.Extensions, o.Extensions)
	setList(&l.LanguageIDs, o.LanguageIDs)
	setList(&l.VersionCommand, o.Version)
	setList(&l.Build, o.Build)
	if len(o.Run) > 0 {
		l.Session, l.Zygote = nil, nil // it would be the interpreter that was not wanted
	}
	setList(&l.Run, o.Run)
	setList(&l.Session, o.Session)
	l.Env = slices.Concat(l.Env, o.Env)
	for i, ext := range l.Extensions {
		l.Extensions[i] = strings.ToLower(ext)
	}
	if len(l.Extensions) == 0 && l.FileName != "" {
		l.Extensions = []string{strings.ToLower(path.Ext(l.FileName))}
	}
	if l.FileName == "" && len(l.Extensions) > 0 {
		l.FileName = "main" + l.Extensions[0]
	}
	return l.check()
}

func set(field *string, value string) {
	if value != "" {
		*field = value
	}
}

func setList(field *[]string, value []string) {
	if len(value) > 0 {
		*field = slices.Clone(value)
	}
}

var (
	idPattern      = pattern(`^[a-z][a-z0-9+#_-]{0,31}$`)
	extPattern     = pattern(`^\.[\pL\pN+_-]{1,16}$`)
	programPattern = pattern(`^[A-Za-z0-9_./+-]+(\|[A-Za-z0-9_./+-]+)*$`)
	imagePattern   = pattern(`^[a-z0-9][A-Za-z0-9_./:@%-]{0,254}$`)
	placeholder    = pattern(`\{[a-z]+\}`)
	placeholders   = []string{"{file}", "{name}", "{out}", "{dir}", "{class}"}
)

// check says what is wrong with a row, field first.
func (l Language) check() error {
	for _, name := range append([]string{l.ID}, l.Aliases...) {
		if !idPattern().MatchString(name) {
			return fmt.Errorf("aliases: %q is no name: lower-case letters, digits, + # _ -, beginning with a letter", name)
		}
	}
	if !plainName().MatchString(l.FileName) || path.Ext(l.FileName) == "" {
		return fmt.Errorf("fileName: %q must be a plain name with an extension, such as main.%s", l.FileName, l.ID)
	}
	for _, ext := range l.Extensions {
		if !extPattern().MatchString(ext) {
			return fmt.Errorf("extensions: %q must be a dot and letters or digits", ext)
		}
	}
	if l.Image != "" && (!imagePattern().MatchString(l.Image) || strings.Count(l.Image, "%") != strings.Count(l.Image, "%s") || strings.Count(l.Image, "%s") > 1) {
		return fmt.Errorf("image: %q is no image reference; %%s may stand once, for the version", l.Image)
	}
	if strings.Contains(l.Image, "%s") && !versionPattern().MatchString(l.DefaultVersion) {
		return errors.New("defaultVersion: must be given, such as 1.0, because the image has a place for it")
	}
	if l.Versioned != "" && strings.Count(l.Versioned, "%s") != 1 {
		return errors.New(`versioned: must hold %s once, such as "python%s"`)
	}
	if _, known := managerNamed(l.Manager); l.Manager != "" && !known {
		return fmt.Errorf("manager: %q is none; there are %s", l.Manager, managerNames())
	}
	for _, entry := range l.Env {
		if key, _, found := strings.Cut(entry, "="); !found || key == "" {
			return fmt.Errorf("env: %q is not KEY=VALUE", entry)
		}
	}
	if len(l.Run) == 0 {
		return errors.New("run: must name a program and its arguments, such as [myprogram, {file}]")
	}
	if err := checkTemplate("build", l.Build); err != nil {
		return err
	}
	if err := checkTemplate("session", l.Session); err != nil {
		return err
	}
	return checkTemplate("run", l.Run)
}

func checkTemplate(field string, template []string) error {
	for i, part := range template {
		for _, found := range placeholder().FindAllString(part, -1) {
			if !slices.Contains(placeholders, found) {
				return fmt.Errorf("%s: %s is no placeholder; there are %s", field, found, strings.Join(placeholders, " "))
			}
		}
		if i == 0 && !strings.HasPrefix(part, "{") && !programPattern().MatchString(part) {
			return fmt.Errorf("%s: %q is no program name, nor several with bars between", field, part)
		}
	}
	return nil
}

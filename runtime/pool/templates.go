package pool

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/pool/devcontainer"
)

// maxSetup is how long a set-up script may be, in bytes.
const maxSetup = 256 << 10

// Template is a template of the user's, or a built-in one.
type Template struct {
	db.Template
	BuiltIn bool
}

// TemplateRequest describes a template to be made; zero limits mean the default.
type TemplateRequest struct {
	Name        string
	Description string
	Language    string
	Image       string
	Packages    []string          // of the language
	Files       []db.TemplateFile // placed before the packages come
	Setup       string            // script that sets a VM up, once all that is there
	SetupUser   string            // who runs it: root, sandbox or "", which is sandbox
	Limits      runtime.Limits
	Env         map[string]string
	Labels      map[string]string
	Network     *runtime.Network
	// Devcontainer is the text of a devcontainer.json, whose properties count
	// where the request says nothing; "" = none.
	Devcontainer string
}

// Templates lists the built-in templates, one per language and the sets, and then
// the user's own, oldest first.
func (t *Tenant) Templates(ctx context.Context) ([]Template, error) {
	var list []Template
	own, err := t.store.Templates(ctx, t.user.ID)
	for _, l := range t.languages.Languages() {
		list = append(list, builtIn(l))
	}
	for _, set := range sets() {
		if !slices.ContainsFunc(own, func(t db.Template) bool { return t.Name == set.Name }) {
			list = append(list, set)
		}
	}
	for _, row := range own {
		list = append(list, Template{Template: row})
	}
	return list, stored(err)
}

// builtIn is a language's own template.
func builtIn(l lang.Language) Template {
	return Template{Template: db.Template{Name: l.ID, Description: "A VM for " + l.Name, Language: l.ID}, BuiltIn: true}
}

// template finds one by its name.
func (t *Tenant) template(ctx context.Context, name string) (Template, error) {
	row, err := t.store.Template(ctx, t.user.ID, name)
	if err == nil {
		return Template{Template: row}, nil
	}
	if !isNotFound(err) {
		return Template{}, stored(err)
	}
	if template, ok := t.builtInTemplate(name); ok {
		return template, nil
	}
	missing := notFound("template", 0, name)
	missing.Field, missing.Hint = "template", "vm template list shows those that there are"
	return Template{}, missing
}

func (p *Pool) builtInTemplate(name string) (Template, bool) {
	for _, set := range sets() {
		if set.Name == name {
			return set, true
		}
	}
	languages := p.languages.Languages()
	i := slices.IndexFunc(languages, func(l lang.Language) bool { return l.ID == name })
	if i < 0 {
		return Template{}, false
	}
	return builtIn(languages[i]), true
}

// CreateTemplate keeps a template for the user, and returns it with the
// properties of its devcontainer.json that were left out.
func (t *Tenant) CreateTemplate(ctx context.Context, r TemplateRequest) (Template, []devcontainer.Unsupported, error) {
	unsupported, err := r.fromDevcontainer()
	if err != nil {
		return Template{}, nil, err
	}
	if err := r.validate(t.Pool); err != nil {
		return Template{}, nil, err
	}
	if r.SetupUser == "sandbox" {
		r.SetupUser = ""
	}
	row := db.Template{
		UserID: t.user.ID, Name: r.Name, Description: r.Description, Language: r.Language, Image: r.Image,
		Packages: r.Packages, Files: r.Files, Setup: r.Setup, SetupUser: r.SetupUser, Limits: r.Limits, Network: or(r.Network, runtime.Network{}),
		Env: maps.Clone(r.Env), Labels: maps.Clone(r.Labels), CreatedAt: now(),
	}
	err = t.store.AddTemplate(ctx, &row)
	if errors.Is(err, db.ErrExists) {
		err = &Error{Kind: ErrExists, Field: "name", Message: "you have a template named " + quote(r.Name) + " already",
			Hint: "choose another name, or vm template delete " + r.Name}
	}
	return Template{Template: row}, unsupported, stored(err)
}

// DeleteTemplate removes one of the user's templates. VMs made from it stay.
func (t *Tenant) DeleteTemplate(ctx context.Context, name string) error {
	err := t.store.DeleteTemplate(ctx, t.user.ID, name)
	if !isNotFound(err) {
		return stored(err)
	}
	if _, ok := t.builtInTemplate(name); ok {
		return &Error{Kind: ErrState, Field: "name", Message: "the template " + name + " is built in, and cannot be deleted"}
	}
	missing := notFound("template", 0, name)
	missing.Hint = "vm template list shows those that there are"
	return missing
}

// validate checks that a VM could be created from the template, as far as that
// can be told without a driver.
func (r *TemplateRequest) validate(p *Pool) error {
	if !validName.MatchString(r.Name) {
		return invalid("name", "a template cannot be named %s: letters, digits, dot, dash and underscore are allowed, at most 63, beginning with a letter or digit", quote(r.Name))
	}
	if template, taken := p.builtInTemplate(r.Name); taken && !template.replaceable() {
		return &Error{Kind: ErrExists, Field: "name", Message: "the template " + r.Name + " is built in", Hint: "choose another name"}
	}
	if r.Language != "" {
		if _, _, err := p.findLanguage(r.Language); err != nil {
			return err
		}
	}
	switch {
	case len(r.Description) > 256 || strings.ContainsAny(r.Description, "\x00\n"):
		return invalid("description", "a description is one line of at most 256 bytes")
	case len(r.Setup) > maxSetup:
		return invalid("setup", "the set-up script has %d bytes; at most %d are allowed", len(r.Setup), maxSetup)
	case strings.ContainsRune(r.Setup, 0):
		return invalid("setup", "the set-up script contains a NUL byte")
	}
	c := content{packages: r.Packages, files: r.Files}
	if err := p.checkContent(db.VirtualMachine{Language: r.Language}, c); err != nil {
		return err
	}
	as := CreateRequest{Name: "a", Image: r.Image, Network: r.Network, Env: r.Env, Labels: r.Labels}
	as.limit(r.Limits)
	err := as.validate(p.defaults)
	var wrong *Error
	if errors.As(err, &wrong) {
		field := templateField(wrong.Field)
		wrong.Message = strings.Replace(wrong.Message, wrong.Field, field, 1)
		wrong.Field = field
	}
	return err
}

// templateField is the name that a field of a VM's has in a template.
func templateField(field string) string {
	switch field {
	case "cpuLimit":
		return "limits.cpu"
	case "memoryLimit":
		return "limits.memory"
	case "diskLimit":
		return "limits.disk"
	case "pidsLimit":
		return "limits.pids"
	}
	return field
}

// limit asks for limits where the request does not say; zero ones ask for nothing.
func (r *CreateRequest) limit(l runtime.Limits) {
	if r.CPU == nil && l.CPU != 0 {
		r.CPU = &l.CPU
	}
	for _, limit := range []struct {
		field **int
		value *int
	}{{&r.MemoryMiB, &l.MemoryMiB}, {&r.DiskMiB, &l.DiskMiB}, {&r.Pids, &l.Pids}} {
		if *limit.field == nil && *limit.value != 0 {
			*limit.field = limit.value
		}
	}
}

// fill looks up a request's template, if it names one, and fills in what that
// says and the request does not.
func (t *Tenant) fill(ctx context.Context, r *CreateRequest) (Template, error) {
	switch {
	case r.Template == "":
		return Template{}, nil
	case r.From != nil:
		return Template{}, invalid("template", "a VM is made from a template or from a snapshot, not from both")
	}
	template, err := t.template(ctx, r.Template)
	if err == nil {
		r.from(template)
	}
	return template, err
}

func (r *CreateRequest) from(t Template) {
	if r.Language == "" {
		r.Language = t.Language
	}
	if r.Image == "" {
		r.Image = t.Image
	}
	if r.Network == nil && t.Network.Mode != "" {
		r.Network = &t.Network
	}
	r.limit(t.Limits)
	r.Env = merged(t.Env, r.Env)
	r.Labels = merged(t.Labels, r.Labels)
}

// merged lays the entries of top over those of base.
func merged(base, top map[string]string) map[string]string {
	all := make(map[string]string, len(base)+len(top))
	maps.Copy(all, base)
	maps.Copy(all, top)
	return all
}

// fromDevcontainer fills in what a devcontainer.json says and the request does
// not, and names what is left out.
func (r *TemplateRequest) fromDevcontainer() ([]devcontainer.Unsupported, error) {
	if r.Devcontainer == "" {
		return nil, nil
	}
	c, err := devcontainer.Parse([]byte(r.Devcontainer))
	if err != nil {
		return nil, &Error{Kind: ErrInvalid, Field: "devcontainer", Message: "the devcontainer.json cannot be read: " + err.Error(), Cause: err}
	}
	if c.Image == "" && r.Image == "" && r.Language == "" {
		return nil, &Error{Kind: ErrInvalid, Field: "devcontainer", Message: "the devcontainer.json names no image",
			Hint: "name an image or a language beside it; images are not built from Dockerfiles"}
	}
	if r.Image == "" {
		r.Image = c.Image
	}
	if r.Description == "" {
		r.Description = c.Name
	}
	if r.Setup == "" {
		r.Setup = c.Setup
	}
	r.Env = merged(c.Env, r.Env)
	switch c.User {
	case "", "sandbox":
	case "root":
		if r.SetupUser == "" {
			r.SetupUser = "root"
		}
		c.Unsupported = append(c.Unsupported, devcontainer.Unsupported{Property: "remoteUser",
			Reason: "root runs the set-up script alone; executions are run by sandbox unless they ask for root"})
	default:
		c.Unsupported = append(c.Unsupported, devcontainer.Unsupported{Property: "remoteUser",
			Reason: "programs in a VM are run by its own user, sandbox"})
	}
	return c.Unsupported, nil
}

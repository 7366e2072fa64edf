package handlers

import (
	"cmp"
	"context"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/pool"
)

// Template is what VMs can be made from.
type Template struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	BuiltIn     bool              `json:"builtIn" doc:"comes with this program: there is one for each language, and some with packages"`
	Language    string            `json:"language,omitempty"`
	Image       string            `json:"image,omitempty"`
	Packages    []string          `json:"packages,omitempty"`
	Files       []TemplateFile    `json:"files,omitempty"`
	Setup       string            `json:"setup,omitempty"`
	SetupUser   string            `json:"setupUser,omitempty"`
	Limits      TemplateLimits    `json:"limits"`
	Env         map[string]string `json:"env,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Network     *runtime.Network  `json:"network,omitempty"`
	CreatedAt   *time.Time        `json:"createdAt,omitempty"`
}

// TemplateLimits are a template's limits; what is not said gets the default.
type TemplateLimits struct {
	CPU    float64 `json:"cpu,omitzero" doc:"cores"`
	Memory int     `json:"memory,omitzero" doc:"MiB"`
	Disk   int     `json:"disk,omitzero" doc:"MiB"`
	Pids   int     `json:"pids,omitzero" doc:"processes and threads"`
}

// TemplateFile is a file that a template places in a VM.
type TemplateFile struct {
	Path      string `json:"path"`
	SizeBytes int    `json:"sizeBytes"`
	Mode      uint32 `json:"mode" doc:"permission bits, as a decimal number"`
}

// CreateTemplateParams describe a template to be kept.
type CreateTemplateParams struct {
	Name         string            `json:"name" required:"true" doc:"letters, digits, dot, dash and underscore, at most 63, beginning with a letter or digit"`
	Description  string            `json:"description,omitempty" doc:"one line"`
	Language     string            `json:"language,omitempty" doc:"language id, with @version to ask for one"`
	Image        string            `json:"image,omitempty" doc:"OCI image instead of the language's own"`
	Packages     []string          `json:"packages,omitempty" doc:"of the language, as vm/installPackages takes them"`
	Files        []File            `json:"files,omitempty" doc:"placed first, relative to the home of the VM's user; at most 4 MiB together"`
	Setup        string            `json:"setup,omitempty" doc:"script that is run last: by the interpreter that its first line names, or by sh -e"`
	SetupUser    string            `json:"setupUser,omitempty" enum:"sandbox,root" doc:"who runs it inside the VM; default sandbox"`
	Limits       TemplateLimits    `json:"limits,omitzero" doc:"what is not said gets the default"`
	Env          map[string]string `json:"env,omitempty" doc:"environment of the script and of every execution"`
	Labels       map[string]string `json:"labels,omitempty"`
	Network      *Network          `json:"network,omitempty" doc:"policy, or its mode alone"`
	Devcontainer string            `json:"devcontainer,omitempty" doc:"text of a devcontainer.json; its properties count where these params say nothing"`
	Tokens
}

// CreateTemplateResult is the template as it is kept.
type CreateTemplateResult struct {
	Template
	Unsupported []UnsupportedProperty `json:"unsupported,omitempty" doc:"properties of the devcontainer.json that the template leaves out"`
}

// UnsupportedProperty is left out of a template.
type UnsupportedProperty struct {
	Property string `json:"property"`
	Reason   string `json:"reason"`
}

// TemplateParams name a template.
type TemplateParams struct {
	Name string `json:"name" required:"true"`
	Tokens
}

func templates(ctx context.Context, s Scope, _ NoParams) ([]Template, error) {
	list, err := s.Templates(ctx)
	return encodeAll(list, encodeTemplate), err
}

func createTemplate(ctx context.Context, s Scope, p CreateTemplateParams) (CreateTemplateResult, error) {
	files, err := filesOf(p.Files)
	if err != nil {
		return CreateTemplateResult{}, err
	}
	template, unsupported, err := s.CreateTemplate(ctx, pool.TemplateRequest{
		Name: p.Name, Description: p.Description, Language: p.Language, Image: p.Image, Packages: p.Packages,
		Files: encodeAll(files, func(f agent.File) db.TemplateFile { return db.TemplateFile(f) }), Setup: p.Setup, SetupUser: p.SetupUser,
		Limits: runtime.Limits{CPU: p.Limits.CPU, MemoryMiB: p.Limits.Memory, DiskMiB: p.Limits.Disk, Pids: p.Limits.Pids},
		Env:    p.Env, Labels: p.Labels, Network: (*runtime.Network)(p.Network), Devcontainer: p.Devcontainer,
	})
	result := CreateTemplateResult{Template: encodeTemplate(template)}
	for _, u := range unsupported {
		result.Unsupported = append(result.Unsupported, UnsupportedProperty(u))
	}
	return result, err
}

func deleteTemplate(ctx context.Context, s Scope, p TemplateParams) (Empty, error) {
	return Empty{}, s.DeleteTemplate(ctx, p.Name)
}

// defaultMode is that of files whose mode is not said.
const defaultMode = 0o644

func encodeTemplate(t pool.Template) Template {
	encoded := Template{
		Name: t.Name, Description: t.Description, BuiltIn: t.BuiltIn, Language: t.Language, Image: t.Image,
		Packages: t.Packages, Setup: t.Setup, SetupUser: t.SetupUser, Env: t.Env, Labels: t.Labels, CreatedAt: known(t.CreatedAt),
		Limits: TemplateLimits{CPU: t.Limits.CPU, Memory: t.Limits.MemoryMiB, Disk: t.Limits.DiskMiB, Pids: t.Limits.Pids},
	}
	for _, f := range t.Files {
		encoded.Files = append(encoded.Files, TemplateFile{Path: f.Path, SizeBytes: len(f.Data), Mode: cmp.Or(f.Mode, defaultMode)})
	}
	if t.Network.Mode != "" {
		encoded.Network = &t.Network
	}
	return encoded
}

package pool_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/pool"
)

func (r *rig) createTemplate(t *testing.T, request pool.TemplateRequest) pool.Template {
	t.Helper()
	template, unsupported, err := r.CreateTemplate(t.Context(), request)
	if err != nil || len(unsupported) != 0 {
		t.Fatalf("CreateTemplate: %v, %v", unsupported, err)
	}
	return template
}

func (r *rig) createFrom(template string, change ...func(*pool.CreateRequest)) (db.VirtualMachine, error) {
	request := pool.CreateRequest{Name: "a", Template: template}
	for _, c := range change {
		c(&request)
	}
	return r.Create(context.Background(), request, nil)
}

func full() pool.TemplateRequest {
	return pool.TemplateRequest{
		Name: "full", Description: "all of it", Language: fake.LanguageID, Image: "example:1", Setup: "print ready",
		Limits: runtime.Limits{CPU: 0.5, MemoryMiB: 64, DiskMiB: 65, Pids: 66},
		Env:    map[string]string{"A": "template", "B": "template"}, Labels: map[string]string{"a": "template", "b": "template"},
		Network: &runtime.Network{Mode: runtime.NetworkNone},
	}
}

func TestAVMIsMadeAsItsTemplateSays(t *testing.T) {
	r := newRig(t)
	r.createTemplate(t, full())
	vm, err := r.createFrom("full")
	if err != nil {
		t.Fatal(err)
	}
	want := db.VirtualMachine{
		Template: "full", Language: fake.LanguageID, Image: "example:1", CPULimit: 0.5, MemoryLimit: 64, DiskLimit: 65, PidsLimit: 66,
		Env: map[string]string{"A": "template", "B": "template"}, Labels: map[string]string{"a": "template", "b": "template"},
		Network: runtime.Network{Mode: runtime.NetworkNone},
	}
	if diff := cmp.Diff(want, saysOf(vm)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWhatAVMSaysItselfWins(t *testing.T) {
	r := newRig(t)
	r.createTemplate(t, full())
	cpu, memory := 2.0, 128
	vm, err := r.createFrom("full", func(c *pool.CreateRequest) {
		c.Image, c.CPU, c.MemoryMiB = "other:2", &cpu, &memory
		c.Env, c.Labels = map[string]string{"A": "own"}, map[string]string{"a": "own"}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := db.VirtualMachine{
		Template: "full", Language: fake.LanguageID, Image: "other:2", CPULimit: 2, MemoryLimit: 128, DiskLimit: 65, PidsLimit: 66,
		Env: map[string]string{"A": "own", "B": "template"}, Labels: map[string]string{"a": "own", "b": "template"},
		Network: runtime.Network{Mode: runtime.NetworkNone},
	}
	if diff := cmp.Diff(want, saysOf(vm)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// saysOf is the part of a row that a template can say.
func saysOf(vm db.VirtualMachine) db.VirtualMachine {
	return db.VirtualMachine{
		Template: vm.Template, Language: vm.Language, Image: vm.Image, CPULimit: vm.CPULimit, MemoryLimit: vm.MemoryLimit,
		DiskLimit: vm.DiskLimit, PidsLimit: vm.PidsLimit, Env: vm.Env, Labels: vm.Labels, Network: vm.Network,
	}
}

func TestWhatSetUpPrintedIsInTheLog(t *testing.T) {
	r := newRig(t)
	r.createTemplate(t, pool.TemplateRequest{Name: "chatty", Language: fake.LanguageID, Setup: "print one\nerr two\nwrite made 0"})
	vm, err := r.createFrom("chatty")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := r.Logs(t.Context(), vm, 100)
	if err != nil {
		t.Fatal(err)
	}
	printed := map[string]bool{}
	for _, line := range lines {
		if line.Stream == "setup" {
			printed[line.Text] = true
		}
	}
	if !cmp.Equal(printed, map[string]bool{"one": true, "two": true}) {
		t.Errorf("the log has %v of the set-up script, want one and two", printed)
	}
	if e := r.run(t, vm, "show made"); e.ExitCode != 0 {
		t.Errorf("the file that the script wrote is not there: %s", e.Error)
	}
}

func TestAFailingSetUpShowsItsOutputAndLeavesNothing(t *testing.T) {
	r := newRig(t)
	r.createTemplate(t, pool.TemplateRequest{Name: "broken", Language: fake.LanguageID, Setup: strings.Repeat("print early\n", 40) + "print why\nexit 3"})
	_, err := r.createFrom("broken")
	if !errors.Is(err, pool.ErrState) {
		t.Fatalf("Create = %v, want ErrState", err)
	}
	head, output, _ := strings.Cut(err.Error(), "\n")
	if want := "the set-up script of template broken ended with exit code 3; it printed:"; head != want {
		t.Errorf("the error begins with %q, want %q", head, want)
	}
	if want := strings.Repeat("early\n", 29) + "why"; output != want {
		t.Errorf("the error shows %q, want the last 30 lines", output)
	}
	r.wantNoVM(t)
}

func TestACancelledSetUpLeavesNothing(t *testing.T) {
	r := newRig(t)
	r.createTemplate(t, pool.TemplateRequest{Name: "endless", Language: fake.LanguageID, Setup: "print begun\nloop"})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := r.Create(ctx, pool.CreateRequest{Name: "a", Template: "endless"}, func(message string, _ float64) {
		if strings.Contains(message, "begun") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Create = %v, want that it was cancelled", err)
	}
	r.wantNoVM(t)
}

func TestTemplatesOfAUser(t *testing.T) {
	r := newRig(t)
	r.createTemplate(t, full())
	eve, err := r.pool.For(t.Context(), "eve")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tenant *pool.Tenant
		want   []string
	}{"hers": {r.Tenant, []string{"full"}}, "another's": {eve, nil}} {
		list, err := c.tenant.Templates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var own []string
		builtIn := map[string]bool{}
		for _, template := range list {
			if template.BuiltIn {
				builtIn[template.Name] = true
			} else {
				own = append(own, template.Name)
			}
		}
		if !cmp.Equal(own, c.want) || !builtIn["python"] || !builtIn[fake.LanguageID] {
			t.Errorf("%s: own %v, built in %v; want %v, and one for each language", name, own, builtIn, c.want)
		}
	}
	if _, err := eve.Create(t.Context(), pool.CreateRequest{Name: "a", Template: "full"}, nil); !errors.Is(err, pool.ErrNotFound) {
		t.Errorf("Create from another's template = %v, want ErrNotFound", err)
	}
	if err := eve.DeleteTemplate(t.Context(), "full"); !errors.Is(err, pool.ErrNotFound) {
		t.Errorf("DeleteTemplate of another's = %v, want ErrNotFound", err)
	}
	if err := r.DeleteTemplate(t.Context(), "python"); !errors.Is(err, pool.ErrState) {
		t.Errorf("DeleteTemplate of a built-in one = %v, want ErrState", err)
	}
	if err := r.DeleteTemplate(t.Context(), "full"); err != nil {
		t.Error(err)
	}
	if vm, err := r.createFrom(fake.LanguageID); err != nil || vm.Language != fake.LanguageID || vm.Template != fake.LanguageID {
		t.Errorf("from a built-in template: %+v, %v", saysOf(vm), err)
	}
}

func TestTemplatesAreChecked(t *testing.T) {
	r := newRig(t)
	r.createTemplate(t, pool.TemplateRequest{Name: "there"})
	for name, c := range map[string]struct {
		request pool.TemplateRequest
		kind    error
		field   string
	}{
		"name":         {pool.TemplateRequest{Name: "a b"}, pool.ErrInvalid, "name"},
		"taken":        {pool.TemplateRequest{Name: "there"}, pool.ErrExists, "name"},
		"built in":     {pool.TemplateRequest{Name: "python"}, pool.ErrExists, "name"},
		"language":     {pool.TemplateRequest{Name: "a", Language: "nolang"}, pool.ErrInvalid, "language"},
		"limit":        {pool.TemplateRequest{Name: "a", Limits: runtime.Limits{MemoryMiB: 1}}, pool.ErrInvalid, "limits.memory"},
		"network":      {pool.TemplateRequest{Name: "a", Network: &runtime.Network{Mode: "some"}}, pool.ErrInvalid, "network.mode"},
		"environment":  {pool.TemplateRequest{Name: "a", Env: map[string]string{"1": ""}}, pool.ErrInvalid, "env"},
		"label":        {pool.TemplateRequest{Name: "a", Labels: map[string]string{"-": ""}}, pool.ErrInvalid, "labels"},
		"image":        {pool.TemplateRequest{Name: "a", Image: "a b"}, pool.ErrInvalid, "image"},
		"script":       {pool.TemplateRequest{Name: "a", Setup: "\x00"}, pool.ErrInvalid, "setup"},
		"long script":  {pool.TemplateRequest{Name: "a", Setup: strings.Repeat("x", 300<<10)}, pool.ErrInvalid, "setup"},
		"package":      {pool.TemplateRequest{Name: "a", Language: "python", Packages: []string{"a;b"}}, pool.ErrInvalid, "packages"},
		"no language":  {pool.TemplateRequest{Name: "a", Packages: []string{"a"}}, pool.ErrInvalid, "packages"},
		"no manager":   {pool.TemplateRequest{Name: "a", Language: "sql", Packages: []string{"a"}}, pool.ErrInvalid, "packages"},
		"file":         {pool.TemplateRequest{Name: "a", Files: []db.TemplateFile{{Path: ""}}}, pool.ErrInvalid, "files"},
		"large files":  {pool.TemplateRequest{Name: "a", Files: []db.TemplateFile{{Path: "a", Data: make([]byte, 5<<20)}}}, pool.ErrInvalid, "files"},
		"description":  {pool.TemplateRequest{Name: "a", Description: "a\nb"}, pool.ErrInvalid, "description"},
		"devcontainer": {pool.TemplateRequest{Name: "a", Devcontainer: "{"}, pool.ErrInvalid, "devcontainer"},
		"no image":     {pool.TemplateRequest{Name: "a", Devcontainer: `{"build": {}}`}, pool.ErrInvalid, "devcontainer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := r.CreateTemplate(t.Context(), c.request)
			var failure *pool.Error
			if !errors.As(err, &failure) || failure.Kind != c.kind || failure.Field != c.field {
				t.Errorf("CreateTemplate = %#v, want %v of field %s", err, c.kind, c.field)
			}
		})
	}
}

func TestADevcontainerBecomesATemplate(t *testing.T) {
	r := newRig(t)
	text, err := os.ReadFile("devcontainer/testdata/devcontainer.json")
	if err != nil {
		t.Fatal(err)
	}
	template, unsupported, err := r.CreateTemplate(t.Context(), pool.TemplateRequest{
		Name: "shop", Devcontainer: string(text), Env: map[string]string{"MODE": "own"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := db.Template{Name: "shop", Description: "Shop // web", Image: "debian:12", Env: map[string]string{"MODE": "own"}}
	if diff := cmp.Diff(want, template.Template, cmpopts.IgnoreFields(db.Template{}, "BaseModel", "ID", "UserID", "Setup", "CreatedAt")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.Contains(template.Setup, "npm ci") {
		t.Errorf("the set-up script is %q", template.Setup)
	}
	var named []string
	for _, u := range unsupported {
		named = append(named, u.Property)
	}
	if want := []string{"customizations", "forwardPorts", "somethingNew", "containerEnv.HOME_OF", "remoteUser"}; !cmp.Equal(named, want) {
		t.Errorf("named as unsupported: %v, want %v", named, want)
	}
}

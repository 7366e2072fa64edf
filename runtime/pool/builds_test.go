package pool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/pool"
)

// furnished is a template whose VMs have a package, a file and what a script makes
// of both.
func furnished() pool.TemplateRequest {
	return pool.TemplateRequest{
		Name: "furnished", Language: fake.LanguageID, Packages: []string{"greeting"},
		Files: []db.TemplateFile{{Path: "note", Data: []byte("a note")}},
		Setup: "print set up\nshow packages/greeting\nshow note\nwrite made 0",
	}
}

// wantFurnished holds a VM to what furnished says.
func (s *shop) wantFurnished(t *testing.T, vm db.VirtualMachine) {
	t.Helper()
	if e := s.run(t, vm, "show packages/greeting\nshow note\nshow made"); string(e.Output) != "helloa note" {
		t.Errorf("VM %s has %q, %s", vm.Name, e.Output, e.Error)
	}
	if vm.Network.Mode != runtime.NetworkNone || vm.Status != db.Running {
		t.Errorf("VM %s is %s with the network %+v", vm.Name, vm.Status, vm.Network)
	}
	lines, err := s.Logs(t.Context(), vm, 100)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for _, line := range lines {
		fmt.Fprintln(&log, line.Stream, line.Text)
	}
	if want := "setup installed greeting\nsetup set up\nsetup helloa note\n"; !strings.Contains(log.String(), want) {
		t.Errorf("the log of VM %s is\n%s", vm.Name, log.String())
	}
}

// make makes a VM and returns it; see pool.CreateRequest.
func (s *shop) make(t *testing.T, r pool.CreateRequest) db.VirtualMachine {
	t.Helper()
	vm, err := s.Create(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// builds are the rows of builds, and machines how many there are in all.
func (s *shop) builds(t *testing.T) (rows []db.VirtualMachine, machines int) {
	t.Helper()
	all, err := s.store.VMs(t.Context(), db.VMFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, vm := range all {
		if vm.Build != "" {
			rows = append(rows, vm)
		}
	}
	list, err := s.driver.List(t.Context(), s.store.Instance())
	if err != nil {
		t.Fatal(err)
	}
	return rows, len(list)
}

// What a template puts into VMs is built once, and the VMs have nothing of the
// network that it took.
func TestATemplateIsBuiltOnce(t *testing.T) {
	s := newShop(t, map[string]string{"greeting": "hello"})
	s.createTemplate(t, furnished())
	for _, name := range []string{"one", "two"} {
		s.wantFurnished(t, s.make(t, pool.CreateRequest{Name: name, Template: "furnished"}))
	}
	builds, machines := s.builds(t)
	if asked := s.asked.Load(); asked != 1 || len(builds) != 1 || machines != 3 {
		t.Errorf("the index was asked %d times; there are %d builds, and %d machines", asked, len(builds), machines)
	}

	t.Run("in another process", func(t *testing.T) {
		other := newPool(t, s.store, s.driver) // of other settings, too
		defer other.Close()
		tenant, err := other.For(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		_, err = tenant.Create(t.Context(), pool.CreateRequest{Name: "three", Template: "furnished"}, nil)
		if !errors.Is(err, pool.ErrState) {
			t.Errorf("without the index the content is another one: %v", err)
		}
	})
	t.Run("it is nobody's VM", func(t *testing.T) {
		if _, err := s.Get(t.Context(), builds[0].ID, ""); !errors.Is(err, pool.ErrNotFound) {
			t.Errorf("it is found by its id: %v", err)
		}
		if _, err := s.Get(t.Context(), 0, builds[0].Name); !errors.Is(err, pool.ErrNotFound) {
			t.Errorf("it is found by its name: %v", err)
		}
		vms, err := s.List(t.Context(), db.VMFilter{}, true)
		if use, failed := s.Use(t.Context()); len(vms) != 2 || err != nil || use.User != 2 || use.Total != 2 || failed != nil {
			t.Errorf("it is listed or counted: %d VMs, %v; %+v, %v", len(vms), err, use, failed)
		}
		events, err := s.Events(t.Context(), 0, "", time.Time{}, 100)
		for _, e := range events {
			if e.VMName == builds[0].Name || err != nil {
				t.Errorf("an event tells of it: %+v, %v", e, err)
			}
		}
	})
	t.Run("the quota is for VMs", func(t *testing.T) {
		for n := range 8 {
			s.make(t, pool.CreateRequest{Name: fmt.Sprintf("more%d", n), Template: "furnished"})
		}
		if _, err := s.createFrom("furnished"); !errors.Is(err, pool.ErrQuota) {
			t.Errorf("the eleventh VM: %v", err)
		}
	})
}

// Several that want the same at once wait for one build.
func TestBuildersOfTheSameWait(t *testing.T) {
	s := newShop(t, map[string]string{"greeting": "hello"})
	s.createTemplate(t, furnished())
	var making sync.WaitGroup
	for n := range 5 {
		making.Go(func() {
			if _, err := s.Create(t.Context(), pool.CreateRequest{Name: fmt.Sprintf("vm%d", n), Template: "furnished"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	making.Wait()
	if builds, machines := s.builds(t); s.asked.Load() != 1 || len(builds) != 1 || machines != 6 {
		t.Errorf("the index was asked %d times; there are %d builds, and %d machines", s.asked.Load(), len(builds), machines)
	}
}

// Another content is another build; what nobody can use any more is removed, and
// VMs that were made from it stay.
func TestBuildsAreCollected(t *testing.T) {
	s := newShop(t, map[string]string{"greeting": "hello", "other": "else"})
	s.createTemplate(t, furnished())
	one := s.make(t, pool.CreateRequest{Name: "one", Template: "furnished"})
	s.make(t, pool.CreateRequest{Name: "warm", Template: "furnished", Env: map[string]string{"A": "b"}})
	if err := s.pool.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if builds, _ := s.builds(t); len(builds) != 2 {
		t.Errorf("there are %d builds of two contents", len(builds))
	}
	if err := s.DeleteTemplate(t.Context(), "furnished"); err != nil {
		t.Fatal(err)
	}
	changed := furnished()
	changed.Packages = append(changed.Packages, "other")
	s.createTemplate(t, changed)
	two := s.make(t, pool.CreateRequest{Name: "two", Template: "furnished"})
	if e := s.run(t, two, "show packages/other"); string(e.Output) != "else" {
		t.Errorf("the changed template gives %q, %s", e.Output, e.Error)
	}
	for range 2 {
		if err := s.pool.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if builds, machines := s.builds(t); len(builds) != 1 || machines != 4 {
		t.Errorf("there are %d builds left, and %d machines", len(builds), machines)
	}
	s.wantFurnished(t, one)
	if err := s.DeleteTemplate(t.Context(), "furnished"); err != nil {
		t.Fatal(err)
	}
	if err := s.pool.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if builds, machines := s.builds(t); len(builds) != 0 || machines != 3 {
		t.Errorf("of a template that is gone there are %d builds, and %d machines", len(builds), machines)
	}
}

// A build that fails leaves nothing, and neither does one that is cancelled.
func TestFailingBuildsLeaveNothing(t *testing.T) {
	s := newShop(t, map[string]string{"greeting": "hello"})
	absent := furnished()
	absent.Packages = []string{"absent"}
	broken := furnished()
	broken.Name, broken.Setup = "broken", "print trying\nexit 3"
	endless := furnished()
	endless.Name, endless.Setup = "endless", "print begun\nloop"
	for _, r := range []pool.TemplateRequest{absent, broken, endless} {
		s.createTemplate(t, r)
	}
	for template, want := range map[string]string{
		"furnished": "the packages of template furnished could not be installed: pip ended with exit code 1; it printed:\nsh: absent: 404",
		"broken":    "the set-up script of template broken ended with exit code 3; it printed:\ninstalled greeting\ntrying",
	} {
		if _, err := s.createFrom(template); !errors.Is(err, pool.ErrState) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Create(ctx, pool.CreateRequest{Name: "a", Template: "endless"}, func(message string, _ float64) {
		if message == "set-up script of template endless: begun" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Create = %v, want that it was cancelled", err)
	}
	if builds, machines := s.builds(t); len(builds) != 0 || machines != 0 {
		t.Errorf("there are %d builds, and %d machines", len(builds), machines)
	}
	s.wantNoVM(t)
}

// A build whose machine somebody has removed is made again.
func TestALostBuildIsMadeAgain(t *testing.T) {
	s := newShop(t, map[string]string{"greeting": "hello"})
	s.createTemplate(t, furnished())
	s.make(t, pool.CreateRequest{Name: "one", Template: "furnished"})
	builds, _ := s.builds(t)
	if err := s.driver.Destroy(t.Context(), runtime.Ref{Instance: s.store.Instance(), VM: builds[0].ID}); err != nil {
		t.Fatal(err)
	}
	s.wantFurnished(t, s.make(t, pool.CreateRequest{Name: "two", Template: "furnished"}))
	if again, _ := s.builds(t); len(again) != 1 || again[0].ID == builds[0].ID {
		t.Errorf("builds: %d", len(again))
	}
}

// A build that a dead process was making is taken over.
func TestAnAbandonedBuildIsMadeAgain(t *testing.T) {
	s := newShop(t, map[string]string{"greeting": "hello"})
	s.createTemplate(t, furnished())
	s.make(t, pool.CreateRequest{Name: "one", Template: "furnished"})
	builds, _ := s.builds(t)
	_, err := s.store.UpdateVM(t.Context(), builds[0].ID, nil, func(vm *db.VirtualMachine) error {
		vm.Status, vm.Owner, vm.OwnedUntil = db.Creating, runtime.Self().String(), time.Now().Add(-time.Minute)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.wantFurnished(t, s.make(t, pool.CreateRequest{Name: "two", Template: "furnished"}))
}

// A user does not have more builds than are kept; the longest unused one goes.
func TestBuildsAreBounded(t *testing.T) {
	s := newShop(t, map[string]string{"greeting": "hello"})
	for n := range 22 {
		vm := s.make(t, pool.CreateRequest{Name: "vm", Language: fake.LanguageID, Packages: []string{"greeting"}, Env: map[string]string{"N": fmt.Sprint(n)}})
		if err := s.Delete(t.Context(), vm); err != nil {
			t.Fatal(err)
		}
	}
	builds, machines := s.builds(t)
	if len(builds) != 20 || machines != 20 || builds[0].Env["N"] != "2" {
		t.Errorf("there are %d builds, and %d machines; the oldest is %v", len(builds), machines, builds[0].Env)
	}
}

// Packages that a VM's maker names are there from the start, beside the
// template's.
func TestPackagesFromTheStart(t *testing.T) {
	s := newShop(t, map[string]string{"greeting": "hello", "other": "else", "numpy": "n", "pandas": "p", "scipy": "s", "matplotlib": "m"})
	s.createTemplate(t, furnished())
	for name, test := range map[string]struct {
		request pool.CreateRequest
		code    string
		want    string
	}{
		"alone":    {pool.CreateRequest{Language: fake.LanguageID, Packages: []string{"other"}}, "show packages/other", "else"},
		"beside":   {pool.CreateRequest{Template: "furnished", Packages: []string{"other"}}, "show packages/other\nshow packages/greeting", "elsehello"},
		"built in": {pool.CreateRequest{Template: "data-science"}, "show packages/numpy\nshow packages/matplotlib", "nm"},
	} {
		t.Run(name, func(t *testing.T) {
			test.request.Name = "vm"
			vm := s.make(t, test.request)
			e, err := s.Execute(t.Context(), vm, pool.RunRequest{Code: []byte(test.code), Language: fake.LanguageID}, pool.Observer{})
			if err != nil || string(e.Output) != test.want {
				t.Errorf("%q, %q, %v", e.Output, e.Error, err)
			}
			if err := s.Delete(t.Context(), vm); err != nil {
				t.Fatal(err)
			}
		})
	}
	_, err := s.Create(t.Context(), pool.CreateRequest{Name: "vm", Language: fake.LanguageID, Packages: []string{"absent"}}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "the packages of the VM could not be installed: ") {
		t.Errorf("packages that are not there: %v", err)
	}
}

// The user's own template of such a name is the one that is meant.
func TestAUsersTemplateReplacesASet(t *testing.T) {
	s := newShop(t, nil)
	s.createTemplate(t, pool.TemplateRequest{Name: "web", Language: fake.LanguageID})
	if vm := s.make(t, pool.CreateRequest{Name: "vm", Template: "web"}); vm.Language != fake.LanguageID {
		t.Errorf("the VM's language is %q", vm.Language)
	}
	list, err := s.Templates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, template := range list {
		if template.Name == "web" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d templates are called web", found)
	}
}

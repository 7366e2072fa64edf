package pool_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/lang"
	"github.com/itechsmart/vm/runtime/pool"
)

// limited is a driver of another name that can give some network modes alone, and
// says why not the others.
type limited struct {
	*fake.Driver
	name     string
	networks []runtime.NetworkMode
	refused  map[runtime.NetworkMode]runtime.Note
}

func (l limited) Name() string { return l.name }

func (l limited) Probe(ctx context.Context) (runtime.Features, error) {
	features, err := l.Driver.Probe(ctx)
	features.Networks, features.Refused = l.networks, l.refused
	return features, err
}

// Of several runtimes that work, a VM is made by one that holds what it was asked
// for; when none does, the refusal has the first one's reason.
func TestRuntimeThatHoldsTheNetwork(t *testing.T) {
	first := limited{fake.New(), "first", []runtime.NetworkMode{runtime.NetworkNone},
		map[runtime.NetworkMode]runtime.Note{runtime.NetworkFull: {Problem: "The kernel says no.", Mend: "ask it again"}}}
	second := limited{fake.New(), "second", []runtime.NetworkMode{runtime.NetworkNone, runtime.NetworkAllowlist}, nil}
	store, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "vm.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	languages, err := lang.New(map[string]lang.Override{fake.LanguageID: fake.Language})
	if err != nil {
		t.Fatal(err)
	}
	p := pool.New(pool.Options{
		Store: store, Drivers: []runtime.Driver{first, second}, Languages: languages,
		Quota: pool.StandardQuota(), Defaults: pool.StandardDefaults(), Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(p.Close)
	ada, err := p.For(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	create := func(name, driver string, network *runtime.Network) (db.VirtualMachine, error) {
		return ada.Create(t.Context(), pool.CreateRequest{
			Name: name, Language: fake.LanguageID, Runtime: driver, Network: network}, nil)
	}
	listed := &runtime.Network{Mode: runtime.NetworkAllowlist, Allow: []string{"example.com"}}
	for _, test := range []struct {
		name, driver string
		network      *runtime.Network
		want         string
	}{
		{"plain", "", nil, "first"},
		{"listed", "", listed, "second"},
		{"none", "", &runtime.Network{Mode: runtime.NetworkNone}, "first"},
	} {
		if vm, err := create(test.name, test.driver, test.network); err != nil || vm.Runtime != test.want {
			t.Errorf("%s is on %q, want %s: %v", test.name, vm.Runtime, test.want, err)
		}
	}
	for _, test := range []struct{ driver, message, hint string }{
		{"", "The kernel says no", "ask it again"},
		{"first", "The kernel says no", "ask it again"},
		{"second", "network mode full cannot be given", "vm doctor"},
	} {
		_, err := create("wide", test.driver, &runtime.Network{Mode: runtime.NetworkFull})
		var refusal *pool.Error
		if !errors.As(err, &refusal) || !errors.Is(err, pool.ErrNotEnforceable) || refusal.Field != "network" ||
			!strings.Contains(refusal.Message, test.message) || !strings.Contains(refusal.Hint, test.hint) {
			t.Errorf("on %q: %+v", test.driver, err)
		}
	}
}

package handlers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime/lang"
)

// The environment lies over the file, index by index.
func TestPackageSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := "packages:\n  proxy: http://proxy.example:3128\n  indexes: {pip: https://file.example/simple, npm: https://file.example}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ITECHSMART_PACKAGE_INDEXES", "npm=https://environment.example, gem=https://environment.example/gem")
	s, err := handlers.LoadSettings(file)
	if err != nil {
		t.Fatal(err)
	}
	want := handlers.PackageSettings{Proxy: "http://proxy.example:3128", Indexes: lang.Indexes{
		"pip": "https://file.example/simple", "npm": "https://environment.example", "gem": "https://environment.example/gem",
	}}
	if diff := cmp.Diff(want, s.Packages); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{"pip", "piip=https://index.example", "pip=ftp://index.example", "npm=https://x y"} {
		t.Setenv("ITECHSMART_PACKAGE_INDEXES", wrong)
		if s, err := handlers.LoadSettings(file); err == nil {
			t.Errorf("%q is taken: %+v", wrong, s.Packages)
		}
	}
}

// The options of initialize say it too, and what is wrong is named.
func TestPackageOptions(t *testing.T) {
	for options, want := range map[string]string{
		`{"packages":{"indexes":{"pip":"https://index.example/simple"},"proxy":"http://proxy.example:3128"}}`: `"serverInfo"`,
		`{"packages":{"indexes":{"piip":"https://index.example"}}}`:                                           `"field":"packages.indexes"`,
		`{"packages":{"proxy":"proxy.example"}}`:                                                              `"field":"packages.proxy"`,
	} {
		c := dial(t, newOpener(t))
		answers := c.request(`{"method":"initialize","params":{"initializationOptions":` + options + `}}`)
		if got := answers[len(answers)-1]; !strings.Contains(got, want) {
			t.Errorf("%s: %.300s", options, got)
		}
	}
}

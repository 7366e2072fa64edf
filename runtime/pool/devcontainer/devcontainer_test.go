package devcontainer_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime/pool/devcontainer"
)

func TestParse(t *testing.T) {
	text, err := os.ReadFile("testdata/devcontainer.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := devcontainer.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	want := devcontainer.Container{
		Name: "Shop // web", Image: "debian:12", User: "dev",
		Env:   map[string]string{"MODE": "test"},
		Setup: "'sh' '-c' 'apt-get update && echo '\\''ready'\\'''\n'pip' 'install' 'a b'\n'sh' '-c' 'npm ci'\n",
		Unsupported: []devcontainer.Unsupported{
			{Property: "customizations", Reason: "it is for editors"},
			{Property: "forwardPorts", Reason: "ports of a VM are not forwarded"},
			{Property: "somethingNew", Reason: "it is not supported"},
			{Property: "containerEnv.HOME_OF", Reason: "variables such as ${localEnv:NAME} are not replaced"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":       ``,
		"a list":        `[]`,
		"unended":       `{"image": "a"`,
		"image":         `{"image": 1}`,
		"environment":   `{"containerEnv": {"A": 1}}`,
		"command":       `{"onCreateCommand": 1}`,
		"deep commands": `{"postCreateCommand": {"a": {"b": "c"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := devcontainer.Parse([]byte(text)); err == nil {
				t.Errorf("Parse = %+v, want an error", got)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"image": "a", /* b */ "onCreateCommand": ["c", "d"],}`))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = devcontainer.Parse(text) })
}

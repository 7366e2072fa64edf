//go:build linux

package native

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindToolchains lays out a home directory and looks at what is shown of it.
func TestFindToolchains(t *testing.T) {
	home := t.TempDir()
	for name, content := range map[string]string{
		".pyenv/version":                               "3.12.1\n",
		".pyenv/versions/3.12.1/bin/python":            "",
		".pyenv/versions/3.11.0/bin/python":            "",
		".pyenv/shims/python":                          "",
		".pyenv/bin/pyenv":                             "",
		".pyenv/libexec/pyenv":                         "",
		".cargo/bin/rustup":                            "",
		".rustup/settings.toml":                        "version = \"12\"\ndefault_toolchain = \"stable-x\"\n",
		".rustup/toolchains/stable-x/bin/rustc":        "",
		".nvm/versions/node/v20.1.0/bin/node":          "",
		".nvm/versions/node/v20.1.0/lib/node_modules/": "",
		".local/bin/tool":                              "",
		".local/lib/python3/":                          "",
		"bin/script":                                   "",
		"lib/":                                         "",
		"go/bin/gopls":                                 "",
		"go/src/private/":                              "",
		"sdk/go/bin/go":                                "",
		"sdk/go/pkg/tool/":                             "",
	} {
		path := filepath.Join(home, name)
		if strings.HasSuffix(name, "/") {
			mustDo(t, os.MkdirAll(path, 0o755))
			continue
		}
		mustDo(t, os.MkdirAll(filepath.Dir(path), 0o755))
		mustDo(t, os.WriteFile(path, []byte(content), 0o755))
	}
	in := func(names ...string) []string {
		var paths []string
		for _, name := range names {
			paths = append(paths, filepath.Join(home, name))
		}
		return paths
	}
	var path []string
	for _, name := range []string{
		".pyenv/shims", ".pyenv/bin", ".cargo/bin", ".nvm/versions/node/v20.1.0/bin", ".local/bin", "bin", "go/bin", "sdk/go/bin", "absent/bin",
	} {
		path = append(path, filepath.Join(home, name))
	}
	path = append(path, "/usr/bin", "relative/bin")

	tests := map[string]struct {
		env           map[string]string
		folders, path []string
	}{
		"defaults": {
			nil,
			in(".pyenv/versions/3.12.1", ".rustup/toolchains/stable-x", ".nvm/versions/node/v20.1.0", "sdk/go"),
			in(".pyenv/versions/3.12.1/bin", ".rustup/toolchains/stable-x/bin", ".nvm/versions/node/v20.1.0/bin", "sdk/go/bin"),
		},
		"another version": {
			map[string]string{"PYENV_VERSION": "3.11.0", "RUSTUP_TOOLCHAIN": "absent"},
			in(".pyenv/versions/3.11.0", ".nvm/versions/node/v20.1.0", "sdk/go"),
			in(".pyenv/versions/3.11.0/bin", ".nvm/versions/node/v20.1.0/bin", "sdk/go/bin"),
		},
		"a version that is a path": {
			map[string]string{"PYENV_VERSION": "../../.local", "RUSTUP_TOOLCHAIN": "../../.local"},
			in(".nvm/versions/node/v20.1.0", "sdk/go"),
			in(".nvm/versions/node/v20.1.0/bin", "sdk/go/bin"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := findToolchains(strings.Join(path, ":"), func(key string) string {
				if key == "HOME" {
					return home
				}
				return test.env[key]
			})
			if diff := cmp.Diff(test.folders, got.folders); diff != "" {
				t.Errorf("folders: %s", diff)
			}
			if diff := cmp.Diff(test.path, got.path); diff != "" {
				t.Errorf("path: %s", diff)
			}
		})
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

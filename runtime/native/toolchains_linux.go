package native

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// toolchains are installations outside the system folders that the caller's PATH
// leads to.
type toolchains struct {
	folders []string // to be bound, read-only, at the same place
	path    []string // folders of programs in them, in the caller's order
}

// findToolchains follows a search path to what can be shown to a machine.
//
// Version managers put folders of stand-ins on the PATH that need the manager
// and its home to work: those are resolved to the installation that the caller
// would get. Of a home directory only whole installations are shown, never a
// folder that may also hold something else.
func findToolchains(path string, getenv func(string) string) toolchains {
	t := toolchains{}
	for _, entry := range filepath.SplitList(path) {
		if !filepath.IsAbs(entry) {
			continue
		}
		entry = filepath.Clean(entry)
		switch {
		case slices.Contains(systemPath, entry):
			// In the machine's path anyway, behind all others.
		case filepath.Base(entry) == "shims":
			t.addShims(filepath.Dir(entry), getenv)
		case isFile(filepath.Join(entry, "rustup")):
			t.addRust(filepath.Dir(entry), getenv)
		default:
			t.addInstallation(entry, getenv("HOME"))
		}
	}
	return t
}

// searchPath is the PATH of a machine that has them.
func (t toolchains) searchPath() []string { return slices.Concat(t.path, systemPath) }

func inSystemFolder(path string) bool {
	return slices.ContainsFunc(systemFolders, func(folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") })
}

// add shows a folder with programs in bin, unless it is shown already.
func (t *toolchains) add(folder, bin string) {
	if slices.Contains(t.path, bin) {
		return
	}
	t.path = append(t.path, bin)
	covered := inSystemFolder(folder) || slices.ContainsFunc(t.folders, func(f string) bool {
		return folder == f || strings.HasPrefix(folder, f+"/")
	})
	if !covered {
		t.folders = append(t.folders, folder)
	}
}

// addShims resolves the stand-ins of pyenv, rbenv, nodenv and their kin, which
// keep installations in versions/<name>, and the chosen name in a file.
func (t *toolchains) addShims(manager string, getenv func(string) string) {
	variable := strings.ToUpper(strings.TrimPrefix(filepath.Base(manager), ".")) + "_VERSION"
	chosen := getenv(variable)
	if chosen == "" {
		raw, err := os.ReadFile(filepath.Join(manager, "version"))
		if err != nil {
			return
		}
		chosen = string(raw)
	}
	// Several names: the first that has a program of some name wins, as in PATH.
	for _, name := range strings.FieldsFunc(chosen, func(r rune) bool { return r == ':' || r == '\n' || r == ' ' }) {
		folder, err := filepath.EvalSymlinks(filepath.Join(manager, "versions", filepath.Base(name)))
		if err == nil && isFolder(filepath.Join(folder, "bin")) {
			t.add(folder, filepath.Join(folder, "bin"))
		}
	}
}

// addRust shows rustup's default toolchain itself: its compilers find their
// library beside them and need neither rustup nor its settings.
func (t *toolchains) addRust(cargoHome string, getenv func(string) string) {
	home := getenv("RUSTUP_HOME")
	if home == "" {
		home = filepath.Join(filepath.Dir(cargoHome), ".rustup")
	}
	name := getenv("RUSTUP_TOOLCHAIN")
	if name == "" {
		name = rustDefault(filepath.Join(home, "settings.toml"))
	}
	if name == "" {
		return
	}
	folder, err := filepath.EvalSymlinks(filepath.Join(home, "toolchains", filepath.Base(name)))
	if err == nil && isFolder(filepath.Join(folder, "bin")) {
		t.add(folder, filepath.Join(folder, "bin"))
	}
}

// rustDefault reads the one line of rustup's settings that matters here.
func rustDefault(settings string) string {
	file, err := os.Open(settings)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), "=")
		if strings.TrimSpace(key) == "default_toolchain" {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// addInstallation shows what a folder of programs belongs to, if that is an
// installation and nothing else.
func (t *toolchains) addInstallation(entry, home string) {
	bin, err := filepath.EvalSymlinks(entry)
	if err != nil || !isFolder(bin) {
		return
	}
	if strings.HasPrefix(bin, "/nix/store/") {
		t.add("/nix/store", bin)
		return
	}
	if inSystemFolder(bin) {
		t.add(bin, bin)
		return
	}
	prefix := filepath.Dir(bin)
	if filepath.Base(bin) != "bin" || isShared(prefix, home) || isFolder(filepath.Join(prefix, "shims")) {
		return // the last is a version manager's own
	}
	// Its own library says that this is an installation; Go has pkg instead.
	for _, proof := range []string{"lib", "lib64", "libexec", "pkg/tool", "jre"} {
		if isFolder(filepath.Join(prefix, proof)) {
			t.add(prefix, bin)
			return
		}
	}
}

// isShared reports whether a folder holds, or may hold, more than one
// installation: a home directory, ~/.local, the roots of everything.
func isShared(prefix, home string) bool {
	if prefix == "/" || filepath.Dir(prefix) == "/home" || prefix == "/root" || filepath.Base(prefix) == ".local" {
		return true
	}
	real, err := filepath.EvalSymlinks(home)
	return home != "" && err == nil && (prefix == real || strings.HasPrefix(real, prefix+"/"))
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeType == 0
}

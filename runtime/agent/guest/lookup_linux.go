package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// lookPath finds a program as a shell would, in the PATH of the run.
func lookPath(p Program) (string, error) {
	name := p.Argv[0]
	if strings.Contains(name, "/") {
		if _, err := os.Stat(resolve(p.Dir, name)); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%s: %w", name, ErrMissing)
		}
		return name, nil
	}
	for _, dir := range filepath.SplitList(lookEnv(p.Env, "PATH")) {
		candidate := filepath.Join(resolve(p.Dir, dir), name)
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrMissing)
}

func resolve(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func lookEnv(env []string, key string) string {
	i := slices.IndexFunc(env, func(kv string) bool { return strings.HasPrefix(kv, key+"=") })
	if i < 0 {
		return ""
	}
	return env[i][len(key)+1:]
}

// explain says for a person why a program that is there did not start.
func explain(name string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s: the interpreter or loader that it names is not in this VM", name)
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("%s: not a program of this machine's kind, nor a script that names its interpreter", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

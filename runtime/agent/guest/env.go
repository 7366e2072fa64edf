package guest

import (
	"os"
	"strings"
	"time"
)

// defaultPath is where programs are looked for unless the environment says.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (c Config) withDefaults() Config {
	if c.UID == 0 {
		c.UID = 1000
	}
	if c.GID == 0 {
		c.GID = 1000
	}
	if c.Home == "" {
		c.Home = "/home/vm"
	}
	if c.StopGrace == 0 {
		c.StopGrace = 10 * time.Second
	}
	return c
}

// environment is what every run starts from; added goes below what the
// configuration says.
func (c Config) environment(added []string) []string {
	env := []string{"PATH=" + defaultPath, "LANG=C.UTF-8"}
	if c.InheritEnv {
		env = mergeEnv(env, os.Environ())
	}
	env = mergeEnv(env, []string{"HOME=" + c.Home, "USER=vm", "LOGNAME=vm"})
	return mergeEnv(mergeEnv(env, added), c.Env)
}

// mergeEnv returns base with the variables of more in place of its own; the last
// of a key counts, in its first place.
func mergeEnv(base, more []string) []string {
	merged := make([]string, 0, len(base)+len(more))
	place := make(map[string]int, cap(merged))
	for _, list := range [][]string{base, more} {
		for _, kv := range list {
			key, _, ok := strings.Cut(kv, "=")
			if !ok {
				continue
			}
			if i, there := place[key]; there {
				merged[i] = kv
				continue
			}
			place[key] = len(merged)
			merged = append(merged, kv)
		}
	}
	return merged
}

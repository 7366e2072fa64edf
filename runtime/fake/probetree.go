package fake

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// probeTree makes files; of all that the real probe makes, there are only these
// in memory.
func probeTree(p *process, args []string) int {
	for name, content := range map[string]string{"a": "a", "b": "b", "deep/er/c": "c"} {
		if err := p.world.files.put(p.path(args[0]+"/"+name), []byte(content), 0o640); err != nil {
			return p.fail(err)
		}
	}
	return 0
}

// probeSpoil changes, removes and adds files.
func probeSpoil(p *process, args []string) int {
	in := func(name string) string { return p.path(args[0] + "/" + name) }
	if err := p.world.files.remove(in("b")); err != nil {
		return p.fail(err)
	}
	for name, content := range map[string]string{"a": "other", "d": "new"} {
		if err := p.world.files.put(in(name), []byte(content), 0o777); err != nil {
			return p.fail(err)
		}
	}
	return 0
}

// probeListing prints what is known of each file in a folder.
func probeListing(p *process, args []string) int {
	files := p.world.files.copy()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(path, p.path(args[0])+"/") {
			fmt.Fprintf(p.out(), "%s %o %d %q\n", path, files[path].mode, files[path].size, files[path].data)
		}
	}
	return 0
}

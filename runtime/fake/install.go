package fake

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// install is the package manager of machines: each package is a file of the
// index that the environment names (VM_INDEX_PIP), and becomes a file in the
// folder packages.
func install(p *process, packages []string) int {
	index := ""
	for _, variable := range p.spec.Env {
		if value, ok := strings.CutPrefix(variable, "VM_INDEX_PIP="); ok {
			index = value
		}
	}
	if index == "" {
		return p.fail(errors.New("no index is configured"))
	}
	for _, name := range packages {
		address := strings.TrimSuffix(index, "/") + "/" + name
		fetched, err := p.fetch(address)
		if err != nil {
			return p.fail(err)
		}
		got := fetched[address]
		if !strings.HasPrefix(got.Status, "200") || got.Error != "" {
			return p.fail(fmt.Errorf("%s: %s%s", name, got.Status, got.Error))
		}
		if err := p.check(p.world.files.put(p.path(path.Join("packages", name)), []byte(got.Body), 0o644)); err != nil {
			return p.fail(err)
		}
		fmt.Fprintln(p.out(), "installed", name)
	}
	return 0
}

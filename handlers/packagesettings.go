package handlers

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/itechsmart/vm/runtime/lang"
)

// PackageSettings say where vm/installPackages gets packages.
type PackageSettings struct {
	Indexes lang.Indexes `json:"indexes,omitempty" yaml:"indexes" doc:"addresses of indexes, by name: pip, npm, go, cargo, gem, cran, maven, apt, apk, dnf; default: each package manager's own"`
	Proxy   string       `json:"proxy,omitempty" yaml:"proxy" doc:"address of an HTTP proxy by which VMs with an open network reach them"`
}

// packageEnvironment reads them from environment variables.
func packageEnvironment(getenv func(string) string) (PackageSettings, error) {
	s := PackageSettings{Proxy: getenv("ITECHSMART_PACKAGE_PROXY")}
	list := getenv("ITECHSMART_PACKAGE_INDEXES")
	if list == "" {
		return s, nil
	}
	s.Indexes = lang.Indexes{}
	for entry := range strings.SplitSeq(list, ",") {
		name, address, found := strings.Cut(strings.TrimSpace(entry), "=")
		if !found {
			return s, badParams("packages.indexes", fmt.Sprintf("ITECHSMART_PACKAGE_INDEXES has %q; it is a list such as pip=https://index.example/simple,npm=https://registry.example", entry))
		}
		s.Indexes[name] = address
	}
	return s, nil
}

// over lays what top sets over s, index by index.
func (s PackageSettings) over(top PackageSettings) PackageSettings {
	s.Proxy = cmp.Or(top.Proxy, s.Proxy)
	indexes := maps.Clone(s.Indexes)
	if indexes == nil {
		indexes = lang.Indexes{}
	}
	maps.Copy(indexes, top.Indexes)
	s.Indexes = indexes
	return s
}

func (s PackageSettings) check() error {
	if err := s.Indexes.Check(); err != nil {
		return badParams("packages.indexes", "packages.indexes."+err.Error())
	}
	if s.Proxy == "" {
		return nil
	}
	if err := lang.CheckURL(s.Proxy); err != nil {
		return badParams("packages.proxy", "packages.proxy "+err.Error())
	}
	return nil
}

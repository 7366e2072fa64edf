package lang

// Parts of patterns.
const (
	pipName    = `[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?`
	pipVersion = `(?:===|==|!=|<=|>=|~=|<|>)[A-Za-z0-9.*+!_-]+`
	mavenName  = `[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.[A-Za-z0-9_-])*`
)

// managers is the table of package managers, see Manager.
func managers() []Manager {
	return []Manager{
		{
			Name: "pip", Form: "NAME, NAME==VERSION or NAME[EXTRA]>=VERSION",
			Chars:   "._-[],=<>!~*+",
			Pattern: pipName + `(?:\[` + pipName + `(?:,` + pipName + `)*\])?(?:` + pipVersion + `(?:,` + pipVersion + `)*)?`,
			Script:  support("install-pip.sh"),
			Indexes: []string{"pip"},
			Source:  "create the VM from an image that has it, such as python:3.13-slim (Debian's package: python3-pip)",
		},
		{
			Name: "npm", Form: "NAME, @SCOPE/NAME or NAME@VERSION",
			Chars:   "._-~@/^<>=*+",
			Pattern: `(?:@[a-z0-9~-][a-z0-9._~-]*/)?[A-Za-z0-9~][A-Za-z0-9._~-]*(?:@[A-Za-z0-9^~<>=*][A-Za-z0-9.^~<>=*+-]*)?`,
			Script:  support("install-npm.sh"),
			Indexes: []string{"npm"},
			Source:  "create the VM from an image that has it, such as node:22-slim (Debian's package: npm)",
		},
		{
			Name: "go", Form: "example.com/MODULE/PACKAGE or example.com/MODULE@v1.2.3",
			Chars:   "._-~/@+",
			Pattern: `[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+(?:/[A-Za-z0-9_~][A-Za-z0-9._~-]*)*(?:@[A-Za-z0-9][A-Za-z0-9.+-]*)?`,
			Script:  support("install-go.sh"),
			Indexes: []string{"go"},
			Source:  "create the VM from an image that has Go, such as golang:1.25",
		},
		{
			Name: "cargo", Form: "NAME or NAME@VERSION",
			Chars:   "_-@.+^~=<>*",
			Pattern: `[A-Za-z][A-Za-z0-9_-]*(?:@[0-9^~=<>*][A-Za-z0-9.+^~=<>*-]*)?`,
			Script:  support("install-cargo.sh"),
			Indexes: []string{"cargo"},
			Source:  "create the VM from an image that has cargo 1.68 or later, such as rust:1-slim",
		},
		{
			Name: "gem", Form: "NAME or NAME:VERSION",
			Chars:   "._-:",
			Pattern: `[A-Za-z0-9][A-Za-z0-9._-]*(?::[0-9][A-Za-z0-9.-]*)?`,
			Script:  support("install-gem.sh"),
			Indexes: []string{"gem"},
			Source:  "create the VM from an image that has it, such as ruby:3.4-slim (Debian's package: ruby)",
		},
		{
			Name: "cran", Form: "NAME: an index has one version of each",
			Chars:   ".",
			Pattern: `[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9]`,
			Script:  support("install-cran.sh"), Files: []Support{support("install-cran.R")},
			Indexes: []string{"cran"},
			Source:  "create the VM from an image that has R, such as rocker/r-ver:4.4",
		},
		{
			Name: "maven", Form: "GROUP:ARTIFACT:VERSION",
			Chars:   "._-:",
			Pattern: mavenName + `:` + mavenName + `:[A-Za-z0-9](?:[A-Za-z0-9_-]|\.[A-Za-z0-9_-])*`,
			Script:  support("install-maven.sh"), Files: []Support{support("VMInstall.java")},
			Indexes: []string{"maven"}, NeedsIndex: true,
			Source: "create the VM from an image that has a JDK from version 11 on, such as eclipse-temurin:21",
		},
		{
			Name: System, Form: "NAME or NAME=VERSION",
			Chars:   ".+-=:~_",
			Pattern: `[A-Za-z0-9](?:[A-Za-z0-9.+_-]*[A-Za-z0-9+])?(?:=[A-Za-z0-9][A-Za-z0-9.+:~_-]*)?`,
			Script:  support("install-system.sh"),
			Indexes: []string{"apt", "apk", "dnf"}, Root: true,
			Source: "create the VM from an image of a distribution with apt, apk or dnf",
		},
	}
}

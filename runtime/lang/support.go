package lang

import "embed"

//go:embed support
var supportFiles embed.FS

// support returns an embedded file; a missing one is a mistake in the table and
// panics in every test.
func support(name string) Support {
	data, err := supportFiles.ReadFile("support/" + name)
	if err != nil {
		panic(err)
	}
	return Support{Name: name, Data: data}
}

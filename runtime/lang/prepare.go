package lang

import (
	"bytes"
	"path"
)

var (
	moduleSyntax  = pattern(`(?m)^\s*(import\s*[\w{*'"]|export\s)`)
	topLevelAwait = pattern(`(?m)^(await\b|for await\b|(const|let|var)\s[^=\n]*=\s*await\b)`)
)

// markModule makes Node take a .js file with import or top-level await for a
// module: from 22.7 on it finds out by itself, before that it has to be told.
func markModule(s *Source) {
	if path.Ext(s.FileName) != ".js" {
		return
	}
	isModule := moduleSyntax().Match(s.Code) || topLevelAwait().Match(s.Code) && !bytes.Contains(s.Code, []byte("require("))
	if isModule {
		s.Support = append(s.Support, Support{Name: "package.json", Data: []byte(`{"type": "module"}`)})
	}
}

// openPHP puts the opening tag before an excerpt of a PHP file: without one, PHP
// would print the code.
func openPHP(s *Source) {
	if !bytes.Contains(s.Code, []byte("<?")) {
		s.Code = append([]byte("<?php "), s.Code...)
	}
}

//go:build !unix

package main

import "os"

// foreground reports whether this process may read a terminal: without job
// control any may.
func foreground(*os.File) bool { return true }

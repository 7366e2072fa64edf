//go:build !unix

package main

// onResize: nobody tells here that a window has changed; a terminal keeps the
// size that it was opened with.
func onResize(func()) (stop func()) { return func() {} }

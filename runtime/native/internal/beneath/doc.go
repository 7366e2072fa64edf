//go:build !linux

// Package beneath resolves paths in a tree that somebody else filled; it exists
// on Linux.
package beneath

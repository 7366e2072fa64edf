//go:build !linux

// Package layer copies and merges the layers of a machine's files; it exists on
// Linux.
package layer

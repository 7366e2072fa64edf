//go:build !linux

// Package tree measures and removes folders that a machine filled; it exists on
// Linux.
package tree

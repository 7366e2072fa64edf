//go:build !linux

// Package mount makes mounts that are attached nowhere yet; it exists on Linux.
package mount

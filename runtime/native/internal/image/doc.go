//go:build !linux

// Package image keeps OCI images unpacked; it exists on Linux.
package image

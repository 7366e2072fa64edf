//go:build !linux

package runtimetest

import "testing"

// remote is a host beyond this one.
type remote struct {
	home, host asker
	address    string
	sees       string
}

type asker struct{}

func (asker) Ask(string) (string, error) { return "", nil }

func newRemote(t *testing.T) remote {
	t.Helper()
	t.Skip("remote hosts are network namespaces, which take Linux")
	return remote{}
}

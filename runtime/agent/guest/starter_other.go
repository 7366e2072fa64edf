//go:build !linux

package guest

import "errors"

// newStarter: VMs are Linux. Elsewhere a guest runs what its own Starter gives.
func newStarter(Config) (Starter, error) {
	return nil, errors.New("programs are started on Linux alone")
}

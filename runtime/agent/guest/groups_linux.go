package guest

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// setThreadGroups sets the supplementary groups of this thread alone; Go's own
// Setgroups sets those of all.
func setThreadGroups(groups []int) error {
	gids := make([]uint32, len(groups)+1)
	for i, g := range groups {
		gids[i] = uint32(g)
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&gids[0])), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

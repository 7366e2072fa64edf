package runtime

import (
	"errors"
	"syscall"
)

// alive reports whether there is a process of that id.
func alive(pid int) bool {
	const queryLimited = 0x1000 // PROCESS_QUERY_LIMITED_INFORMATION
	h, err := syscall.OpenProcess(queryLimited, false, uint32(pid))
	if err != nil {
		return errors.Is(err, syscall.ERROR_ACCESS_DENIED)
	}
	defer syscall.CloseHandle(h)
	const stillActive = 259 // STILL_ACTIVE
	var code uint32
	return syscall.GetExitCodeProcess(h, &code) != nil || code == stillActive
}

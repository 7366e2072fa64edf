package guest

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// resetInherited gives the signals that Go leaves alone their default actions,
// for programs to inherit. What was started by glibc's posix_spawn, as make
// starts programs, has glibc's own signals ignored.
func resetInherited() {
	const first, last = 32, 34 // SIGCANCEL, SIGSETXID, and the first that nptl(7) leaves to programs
	var defaults struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}
	for number := uintptr(first); number <= last; number++ {
		// It fails for no signal that there is.
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, number, uintptr(unsafe.Pointer(&defaults)), 0, unsafe.Sizeof(defaults.mask), 0, 0)
	}
}

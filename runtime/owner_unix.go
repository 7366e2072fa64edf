//go:build unix

package runtime

import "syscall"

// alive reports whether there is a process of that id.
func alive(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }

package sandbox

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guestCapabilities are what a guest keeps that is root of its namespace: to
// start programs as the ordinary user, to end them, and to write and remove
// files on its behalf. None of them reaches beyond the namespace, and no program
// of the ordinary user has any.
var guestCapabilities = []uintptr{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID,
}

// limit sets what a cgroup does not.
func limit(plan Plan) error {
	// No core files: a crashing program would fill its disk with them.
	if err := setrlimit(unix.RLIMIT_CORE, 0); err != nil {
		return fmt.Errorf("forbid core files: %w", err)
	}
	if plan.Threads == 0 {
		return nil
	}
	if err := setrlimit(unix.RLIMIT_NPROC, plan.Threads); err != nil {
		return fmt.Errorf("limit the number of processes: %w", err)
	}
	return nil
}

func setrlimit(resource int, value uint64) error {
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value})
}

// drop gives up, for the calling thread and all that comes from it, every
// privilege that the guest does not need. There is no way back.
func drop(plan Plan) error {
	var keep []uintptr
	if plan.BecomeRoot {
		keep = guestCapabilities
	}
	if err := dropCapabilities(keep); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	return installFilter(plan.Filter)
}

func dropCapabilities(keep []uintptr) error {
	var kept uint64
	for _, c := range keep {
		kept |= 1 << c
	}
	// The kernel may know capabilities that this program does not: go on until
	// it says that there is none of that number.
	for c := uintptr(0); c < 64; c++ {
		if kept&(1<<c) != 0 {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err == unix.EINVAL {
			break
		}
		if err != nil {
			return fmt.Errorf("cut capability %d out of the bounding set: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear the ambient capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(kept), Permitted: uint32(kept)},
		{Effective: uint32(kept >> 32), Permitted: uint32(kept >> 32)},
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// installFilter installs the seccomp program on the calling thread.
func installFilter(filter []byte) error {
	const size = int(unsafe.Sizeof(unix.SockFilter{}))
	if len(filter) == 0 || len(filter)%size != 0 {
		return fmt.Errorf("the plan's seccomp filter has %d bytes", len(filter))
	}
	// Copied into instructions, since bytes promise no alignment.
	program := make([]unix.SockFilter, len(filter)/size)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&program[0])), len(filter)), filter)
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("install the system call filter: %w", errno)
	}
	return nil
}

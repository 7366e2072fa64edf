package native

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// refused are the calls that fail with EPERM: they reach beyond a machine or
// have a large attack surface, and programs are used to not being allowed them.
// Every call that is in no list fails with ENOSYS, as on a kernel that lacks it,
// so that programs fall back to an older one.
var refused = []string{
	// mounts and namespaces
	"mount", "umount2", "umount", "pivot_root", "chroot", "setns", "unshare",
	"fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree", "open_tree_attr", "mount_setattr",
	// the kernel and the machine below
	"acct", "bpf", "delete_module", "finit_module", "init_module", "kexec_file_load", "kexec_load",
	"perf_event_open", "quotactl", "quotactl_fd", "reboot", "swapoff", "swapon", "syslog",
	"ioperm", "iopl", "lookup_dcookie", "fanotify_init",
	// the host's clock and names
	"adjtimex", "clock_adjtime", "clock_settime", "settimeofday", "setdomainname", "sethostname", "vhangup",
	// keys are not per namespace, and handles open files by inode
	"add_key", "keyctl", "request_key", "open_by_handle_at", "name_to_handle_at",
	// where exploits of the kernel have been patient
	"userfaultfd", "move_pages", "migrate_pages",
}

// allowed are the calls without conditions, of any architecture: names that one
// does not have are left out.
var allowed = []string{
	"_llseek", "_newselect", "accept", "accept4", "access", "alarm", "arch_prctl", "arm_fadvise64_64",
	"arm_sync_file_range", "bind", "breakpoint", "brk", "cacheflush", "cachestat", "capget", "capset", "chdir",
	"chmod", "chown", "clock_getres", "clock_gettime", "clock_nanosleep", "close", "close_range", "connect",
	"copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl",
	"epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2",
	"execve", "execveat", "exit", "exit_group", "faccessat", "faccessat2", "fadvise64", "fallocate",
	"fanotify_mark", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "fcntl", "fdatasync",
	"fgetxattr", "flistxattr", "flock", "fork", "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync",
	"ftruncate", "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "futimesat",
	"get_mempolicy", "get_robust_list", "get_thread_area", "getcpu", "getcwd", "getdents", "getdents64",
	"getegid", "geteuid", "getgid", "getgroups", "getitimer", "getpeername", "getpgid", "getpgrp", "getpid",
	"getppid", "getpriority", "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid",
	"getsockname", "getsockopt", "gettid", "gettimeofday", "getuid", "getxattr", "getxattrat",
	"inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy",
	"io_getevents", "io_pgetevents", "io_setup", "io_submit", "ioprio_get", "ioprio_set", "kcmp", "kill",
	"landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "lchown", "lgetxattr", "link",
	"linkat", "listen", "listxattr", "listxattrat", "llistxattr", "lremovexattr", "lseek", "lsetxattr",
	"lsm_get_self_attr", "lsm_list_modules", "lstat", "madvise", "map_shadow_stack", "mbind", "membarrier",
	"memfd_create", "memfd_secret", "mincore", "mkdir", "mkdirat", "mknod", "mknodat", "mlock", "mlock2",
	"mlockall", "mmap", "modify_ldt", "mprotect", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive",
	"mq_timedsend", "mq_unlink", "mremap", "mseal", "msgctl", "msgget", "msgrcv", "msgsnd", "msync", "munlock",
	"munlockall", "munmap", "nanosleep", "newfstatat", "fstatat", "open", "openat", "openat2", "pause",
	"pidfd_getfd", "pidfd_open", "pidfd_send_signal", "pipe", "pipe2", "pkey_alloc", "pkey_free",
	"pkey_mprotect", "poll", "ppoll", "prctl", "pread64", "preadv", "preadv2", "prlimit64",
	"process_madvise", "process_mrelease", "process_vm_readv", "process_vm_writev", "pselect6", "ptrace",
	"pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "recvfrom",
	"recvmmsg", "recvmsg", "remap_file_pages", "removexattr", "removexattrat", "rename", "renameat",
	"renameat2", "restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
	"rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
	"sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
	"sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr", "sched_setparam",
	"sched_setscheduler", "sched_yield", "seccomp", "select", "semctl", "semget", "semop", "semtimedop",
	"sendfile", "sendmmsg", "sendmsg", "sendto", "set_mempolicy", "set_mempolicy_home_node",
	"set_robust_list", "set_thread_area", "set_tid_address", "setfsgid", "setfsuid", "setgid", "setgroups",
	"setitimer", "setpgid", "setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit",
	"setsid", "setsockopt", "setuid", "setxattr", "setxattrat", "shmat", "shmctl", "shmdt", "shmget",
	"shutdown", "sigaltstack", "signalfd", "signalfd4", "socketpair", "splice", "stat", "statfs", "statx",
	"symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "sysinfo", "tee", "tgkill", "time",
	"timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime", "timerfd_create",
	"timerfd_gettime", "timerfd_settime", "times", "tkill", "truncate", "umask", "uname", "unlink",
	"unlinkat", "uretprobe", "utime", "utimensat", "utimes", "vfork", "vmsplice", "wait4", "waitid", "write",
	"writev",
}

// newNamespaces are the flags of clone that make namespaces.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
	unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP

// Where a filter finds the call's number and the lower half of an argument, the
// one that the kernel uses for the arguments below; struct seccomp_data of
// seccomp(2), little-endian.
const numberOffset = 0

func argumentOffset(n uint32) uint32 { return 16 + 8*n }

// argumentRule is a rule for a call whose argument decides.
type argumentRule struct {
	call     string
	argument uint32
	tests    []bpf.JumpIf // each with one Cond and Val; the jump is filled in
	refuse   bool         // when one of the tests holds; else when none does
	errno    unix.Errno
}

// argumentRules are the calls that are allowed with some arguments.
func argumentRules() []argumentRule {
	equal := func(values ...uint32) []bpf.JumpIf {
		var tests []bpf.JumpIf
		for _, v := range values {
			tests = append(tests, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v})
		}
		return tests
	}
	return []argumentRule{
		// No new namespaces. clone3 hides its flags in memory, where a filter
		// cannot look; it is in no list, and C libraries fall back to clone.
		{"clone", 0, []bpf.JumpIf{{Cond: bpf.JumpBitsSet, Val: newNamespaces}}, true, unix.EPERM},
		// Not what types into a terminal, or reads a console's screen.
		{"ioctl", 1, equal(unix.TIOCSTI, unix.TIOCLINUX), true, unix.EPERM},
		// Sockets that stay in the machine or go through its network namespace.
		{"socket", 0, equal(unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK), false, unix.EAFNOSUPPORT},
		// personality(2): Linux on 64 and 32 bits, each as version 2.6 too; Linux
		// without randomised addresses, for debuggers; and asking.
		{"personality", 0, equal(0, 0x8, 0x20000, 0x20008, 0x40000, 0xffffffff), false, unix.EPERM},
	}
}

// instructions of the rule for the call of that number. What it does not refuse
// goes on behind them.
func (r argumentRule) instructions(number uint32) []bpf.Instruction {
	block := []bpf.Instruction{bpf.LoadAbsolute{Off: argumentOffset(r.argument), Size: 4}}
	for i, test := range r.tests {
		left := uint8(len(r.tests) - i - 1)
		if test.SkipTrue = left; !r.refuse {
			test.SkipTrue++ // over the refusal
		}
		if last := left == 0; last && r.refuse {
			test.SkipFalse = 1
		}
		block = append(block, test)
	}
	block = append(block, bpf.RetConstant{Val: uint32(seccomp.ActionErrno) | uint32(r.errno)})
	return append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: numberOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: uint8(len(block))},
	}, block...)
}

// compileFilter returns the filter for this machine's architecture.
func compileFilter() ([]bpf.Instruction, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	known := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			_, ok := info.SyscallNames[name]
			return !ok
		})
	}
	// The library takes no error number in its default action. A trap stands in
	// for it, which no group uses, and is replaced in the finished program.
	const placeholder = seccomp.ActionTrap
	policy := seccomp.Policy{
		DefaultAction: placeholder,
		Syscalls: []seccomp.SyscallGroup{
			{Names: known(allowed), Action: seccomp.ActionAllow},
			{Names: known(refused), Action: seccomp.ActionErrno | seccomp.Action(unix.EPERM)},
		},
	}
	// Rules for arguments come first. They are not the library's: its conditions
	// leave an argument where what follows expects the call's number.
	var program []bpf.Instruction
	for _, rule := range argumentRules() {
		policy.Syscalls[0].Names = append(policy.Syscalls[0].Names, rule.call)
		program = append(program, rule.instructions(uint32(info.SyscallNames[rule.call]))...)
	}
	instructions, err := policy.Assemble()
	if err != nil {
		return nil, err
	}
	for i, in := range instructions {
		if in == (bpf.RetConstant{Val: uint32(placeholder)}) {
			instructions[i] = bpf.RetConstant{Val: uint32(seccomp.ActionErrno) | uint32(unix.ENOSYS)}
		}
	}
	return append(program, instructions...), nil
}

// filter is the seccomp program of every machine, in the form that the kernel
// takes. It is compiled once in a process.
var filter = sync.OnceValues(func() ([]byte, error) {
	instructions, err := compileFilter()
	if err != nil {
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	raw, err := bpf.Assemble(instructions)
	if err != nil {
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	program := make([]byte, 0, len(raw)*8)
	for _, in := range raw { // struct sock_filter
		program = binary.NativeEndian.AppendUint16(program, in.Op)
		program = append(program, in.Jt, in.Jf)
		program = binary.NativeEndian.AppendUint32(program, in.K)
	}
	return program, nil
})

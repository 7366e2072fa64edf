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

// conditional are the calls whose arguments decide. A comparison covers all 64
// bits of an argument, of which the kernel uses 32 for these: where a value is
// refused, the upper half must be nothing as well.
func conditional() []seccomp.NameWithConditions {
	conditions := []seccomp.NameWithConditions{
		// No new namespaces. clone3 hides its flags in memory, where a filter
		// cannot look; it is in no list, and C libraries fall back to clone.
		{Name: "clone", Conditions: seccomp.ArgumentConditions{
			{Argument: 0, Operation: seccomp.BitsNotSet, Value: newNamespaces},
		}},
		// Not what types into a terminal, or reads a console's screen.
		{Name: "ioctl", Conditions: seccomp.ArgumentConditions{
			{Argument: 1, Operation: seccomp.LessOrEqual, Value: 1<<32 - 1},
			{Argument: 1, Operation: seccomp.NotEqual, Value: unix.TIOCSTI},
			{Argument: 1, Operation: seccomp.NotEqual, Value: unix.TIOCLINUX},
		}},
	}
	equal := func(name string, values ...uint64) {
		for _, v := range values {
			conditions = append(conditions, seccomp.NameWithConditions{Name: name, Conditions: seccomp.ArgumentConditions{
				{Argument: 0, Operation: seccomp.Equal, Value: v},
			}})
		}
	}
	// Sockets that stay in the machine or go through its network namespace.
	equal("socket", unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK)
	// personality(2): Linux on 64 and 32 bits, each as version 2.6 too; Linux
	// without randomised addresses, for debuggers; and asking.
	equal("personality", 0, 0x8, 0x20000, 0x20008, 0x40000, 0xffffffff)
	return conditions
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
			{NamesWithCondtions: conditional(), Action: seccomp.ActionAllow},
			{Names: append(known(refused), "clone", "ioctl", "personality"), Action: seccomp.ActionErrno | seccomp.Action(unix.EPERM)},
			{Names: []string{"socket"}, Action: seccomp.ActionErrno | seccomp.Action(unix.EAFNOSUPPORT)},
		},
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
	return instructions, nil
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

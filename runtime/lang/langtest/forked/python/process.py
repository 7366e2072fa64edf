# What the system has for a program.
import os
import resource
import sys

print([(s, open(1, closefd=False).isatty()) for s in (sys.stdin, sys.stdout, sys.stderr)])
print(sorted(os.listdir("/proc/self/fd")), os.getcwd(), os.umask(0), os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid())
print(os.getresuid(), os.getresgid(), os.getgroups(), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0))
print([resource.getrlimit(i) for i in range(16)], resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime)
print(open("/proc/self/cgroup").read(), open("/proc/self/oom_score_adj").read())
kept = "Name", "Umask", "State", "TracerPid", "Threads", "SigBlk", "SigIgn", "SigPnd", "ShdPnd", "Cap", "NoNewPrivs", "Seccomp"
print([line for line in open("/proc/self/status") if line.startswith(kept)])
print(os.stat("/proc/self/mem").st_uid == os.getuid(), sorted(os.environ.items()))
for name in ("stdin", "stdout", "stderr"):
    s = getattr(sys, name)
    print(name, s.encoding, s.errors, s.line_buffering, s.write_through, s.seekable(), s.mode, s.fileno(), type(s.buffer), file=sys.stderr)
parent = open("/proc/%d/comm" % os.getppid()).read()
print(parent)

"""An interpreter that waits, so that others need not start: for every message it
forks a process in which a program's code runs as it would in an interpreter of its
own. What the supervisor and it say to one another is described in the guest's
zygote_linux.go.

The process hands the code to the same functions of the interpreter that run a file
named on the command line, from a thread below which is no frame of ours: errors,
the exit code, what is done at the end, and what a program sees of its own stack
are the interpreter's own business. The main thread only waits; of a fork, the
thread that forks is all that there is, and so the main one."""

import os
import site
import sys

# Those that have been tried. From 3.13 on an interpreter cannot be left by another
# thread than the one that has started it, not even after a fork.
if not (3, 10) <= sys.version_info[:2] <= (3, 12):
    sys.exit("programs are not forked from this version")

started_with = set(sys.modules)

import _ctypes
import _socket
import _thread
import gc
import itertools
import resource

PDEATHSIG, DUMPABLE = 1, 4  # of prctl(2)
SIGINT, SIGKILL = 2, 9
PYTHONAPI = 1 | 4  # calls keep the interpreter's lock

libc = _ctypes.dlopen(None, os.RTLD_NOW)


class Pointer(_ctypes._SimpleCData):
    _type_ = "P"


class Opener(_ctypes.CFuncPtr):
    _flags_ = 1
    _restype_ = Pointer


class Interpreter(_ctypes.CFuncPtr):
    _flags_ = PYTHONAPI


fopen = Opener(_ctypes.dlsym(libc, "fopen"))
run_file = Interpreter(_ctypes.dlsym(libc, "PyRun_AnyFileExFlags"))
leave = Interpreter(_ctypes.dlsym(libc, "Py_Exit"))
on_exit, die = _ctypes.dlsym(libc, "on_exit"), _ctypes.dlsym(libc, "raise")
prctl = _ctypes.dlsym(libc, "prctl")


def control(option, value):
    if _ctypes.call_function(prctl, (option, value, 0, 0, 0)) != 0:
        raise OSError("prctl %d" % option)


# From here on no other program of this user can look into this one.
control(DUMPABLE, 0)

supervisor = os.getppid()
requests = _socket.socket(fileno=3)
os.set_inheritable(3, False)
for name in set(sys.modules) - started_with:
    del sys.modules[name]

# Where packages are looked for, without what depends on a program: its folder, the
# one that it is started in, and those of its user.
del os.environ["PYTHONUSERBASE"]
search = sys.path[1:]
if "PYTHONPATH" in os.environ:
    search.remove("/")
FINDER = sys.meta_path[-1]


def stamp(path):
    try:
        s = os.stat(path)
    except OSError:
        return None
    return s.st_dev, s.st_ino, s.st_mtime_ns, s.st_ctime_ns, s.st_size


def watched():
    """The files that another interpreter would start from."""
    files = {"/proc/self/exe", sys.executable, os.path.join(sys.prefix, "pyvenv.cfg"), *search}
    for folder in search:
        try:
            files.update(os.path.join(folder, f) for f in os.listdir(folder) if f.endswith(".pth"))
        except OSError:
            pass
    files.update(getattr(m, "__file__", None) or "" for m in sys.modules.values())
    files.discard("")
    return sorted(files)


def bounds():
    """What another program of this user could have changed for this one."""
    return (
        [resource.getrlimit(i) for i in range(resource.RLIM_NLIMITS if hasattr(resource, "RLIM_NLIMITS") else 16)],
        os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), os.sched_getaffinity(0),
    )


files = watched()
seen = [stamp(f) for f in files]
held = bounds()


def serve():
    """Returns in every process that is forked, with what run_file takes."""
    while True:
        message, rights, _, _ = requests.recvmsg(1 << 18, _socket.CMSG_SPACE(4 * 4))
        if not message:
            os._exit(0)
        data = rights[0][2]
        fds = [int.from_bytes(data[i:i + 4], sys.byteorder) for i in range(0, len(data), 4)]
        try:
            child = os.fork()
        except OSError:
            os._exit(1)
        if child == 0:
            try:
                return program(message, fds)
            except BaseException:
                os._exit(1)  # without having begun: the supervisor starts an interpreter
        for fd in fds:
            os.close(fd)
        os.waitpid(child, 0)


def program(message, fds):
    between = os.getpid()
    if os.fork() != 0:
        os._exit(0)  # and so the supervisor becomes the parent
    while os.getppid() == between:
        os.sched_yield()
    options, most, folder, *argv = [os.fsdecode(f) for f in message[:-1].split(b"\0")]
    file = argv[int(options)]
    os.setsid()
    os.chdir(folder)
    here = os.getcwd()
    if [stamp(f) for f in files] != seen or bounds() != held:
        raise RuntimeError("not as it was")
    for name in "sitecustomize", "usercustomize":
        if "PYTHONPATH" in os.environ and FINDER.find_spec(name, [here]):
            raise RuntimeError("something to be done at the start")
    if int(most):
        limit = int(most)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    control(PDEATHSIG, SIGKILL)
    channel = _socket.socket(fileno=fds[3])
    channel.send(b"%d" % os.getpid())
    if channel.recv(1) != b"g":
        os._exit(1)
    for fd in range(3):
        os.dup2(fds[fd], fd)
        os.close(fds[fd])
    channel.close()
    requests.close()
    control(DUMPABLE, 1)
    module = type(sys)("__main__")
    module.__dict__.update(sys.modules["__main__"].__dict__)
    sys.modules["__main__"] = module  # the other one the main thread holds for ever
    sys.orig_argv[:] = argv
    sys.argv[:] = argv[int(options):]
    sys.path[:] = search
    if "PYTHONPATH" in os.environ:
        sys.path.insert(0, here)
    add_user_packages()
    sys.path.insert(0, os.path.dirname(os.path.realpath(file)))
    return Pointer(fopen(os.fsencode(file), b"rbe")), os.fsencode(file), 1, Pointer(0)


def add_user_packages():
    """Does what the module site does for packages of the user's own."""
    site.USER_BASE = site.USER_SITE = None
    folder = site.getusersitepackages()
    if not site.ENABLE_USER_SITE or not os.path.isdir(folder):
        return
    before = list(sys.path)
    site.addsitedir(folder, {site.makepath(p)[1] for p in before})
    added = sys.path[len(before):]
    others = site.getsitepackages()
    at = next((i for i, p in enumerate(before) if p in others), len(before))
    sys.path[:] = before[:at] + added + before[at:]
    if "sitecustomize" not in sys.modules:
        site.execsitecustomize()
    site.execusercustomize()


def code(status):
    """The exit code of a program that run_file has printed the error of. One that
    an interrupt has ended dies of it, when all else is done."""
    if status == 0 or getattr(sys, "last_type", None) is not KeyboardInterrupt:
        return abs(status)
    _ctypes.call_function(on_exit, (Pointer(die), Pointer(0)))
    return SIGINT


gc.collect()
gc.freeze()  # so that a fork leaves alone what it shares with others
_thread.start_new_thread(list, (map(leave, map(code, itertools.starmap(run_file, iter(serve, None)))),))
requests.send(b"ready")
forever = _thread.allocate_lock()
forever.acquire()
forever.acquire()

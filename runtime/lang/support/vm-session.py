"""The kernel of Python sessions: executes what the guest asks for, one after the
other, in one module. The messages are described in the guest's fields.go."""

import ast
import base64
import builtins
import importlib
import io
import linecache
import os
import signal
import site
import sys
import traceback
import types

# What is shown of a value, and of artifacts together, in bytes.
MOST_VALUE = 64 << 10
MOST_ARTIFACTS = 4 << 20


def see_packages():
    """Looks where packages are installed, as an interpreter does that starts."""
    folder = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
    if folder and folder not in sys.path and os.path.isdir(folder):
        site.addsitedir(folder)
        importlib.invalidate_caches()


class Kernel:
    def __init__(self):
        self.pid = os.getpid()
        self.requests = os.fdopen(os.dup(0), "rb")
        self.replies = os.dup(1)
        self.null = os.open(os.devnull, os.O_RDWR)
        self.running = False
        os.set_inheritable(self.null, False)
        self.leave()
        self.main = types.ModuleType("__main__")
        self.main.__builtins__ = builtins
        sys.modules["__main__"] = self.main
        sys.path[0] = ""
        os.environ.setdefault("MPLBACKEND", "agg")

    def read(self):
        """Reads one message; None when there are no more."""
        count = self.field()
        if count is None:
            return None
        return [os.fsdecode(self.field()) for _ in range(int(count))]

    def field(self):
        field = bytearray()
        while True:
            byte = self.requests.read(1)
            if not byte:
                return None
            if byte == b"\0":
                return bytes(field)
            field += byte

    def write(self, *fields):
        message = b"%d\0" % len(fields)
        for field in fields:
            message += field.encode("utf-8", "replace").replace(b"\0", b"?") + b"\0"
        while message:
            message = message[os.write(self.replies, message):]

    def enter(self, folder):
        """Takes the pipes of an execution as the standard streams."""
        for fd, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY)):
            pipe = os.open(os.path.join(folder, name), flags)
            os.dup2(pipe, fd)
            os.close(pipe)
        sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)
        for name, fd, errors in (("stdout", 1, "surrogateescape"), ("stderr", 2, "backslashreplace")):
            if getattr(getattr(sys, name), "closed", True):
                raw = open(fd, "wb", 0, closefd=False)
                setattr(sys, name, io.TextIOWrapper(raw, "utf-8", errors, write_through=True))

    def leave(self):
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass  # nobody reads it any more, or the code has closed it
        for fd in (0, 1, 2):
            os.dup2(self.null, fd)

    def interrupt(self, number, frame):
        if self.running:
            raise KeyboardInterrupt

    def serve(self):
        signal.signal(signal.SIGINT, self.interrupt)
        self.write("ready")
        while True:
            request = self.read()
            if request is None:
                return
            self.answer(request)

    def answer(self, request):
        folder, file, directory, count = request[:4]
        args, env = request[4:4 + int(count)], request[4 + int(count):]
        self.enter(folder)
        shown = Shown()
        try:
            self.running = True  # from begun on an interrupt may come
            self.write("begun")
            code = self.execute(file, directory, args, env, shown)
        except KeyboardInterrupt:  # came before the code, or while its own was being shown
            self.running = False
            show_error()
            code = 130
        self.running = False
        signal.signal(signal.SIGINT, self.interrupt)
        if os.getpid() != self.pid:  # a fork that has come back from the code
            self.leave()
            os._exit(code)
        self.leave()
        self.write("done", str(code), shown.value, *shown.artifacts)

    def execute(self, file, directory, args, env, shown):
        try:
            for pair in env:
                key, _, value = pair.partition("=")
                os.environ[key] = value
            if directory:
                os.chdir(directory)
            see_packages()
            sys.argv = [file, *args]
            self.main.__file__ = file
            with open(file, "rb") as source:
                self.run(source.read(), file, shown)
            code = 0
        except SystemExit as end:
            code = exit_code(end.code)
        except KeyboardInterrupt:
            show_error()
            code = 130
        except BaseException:
            show_error()
            code = 1
        self.running = False
        return code

    def run(self, source, file, shown):
        """Executes the source; the value of a last expression is shown."""
        tree = compile(source, file, "exec", ast.PyCF_ONLY_AST)
        text = source.decode("utf-8", "replace")
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        space = self.main.__dict__
        exec(compile(tree, file, "exec"), space)
        if last is not None:
            value = eval(compile(last, file, "eval"), space)
            if value is not None:
                builtins._ = value
                shown.show(value)
        shown.figures()


class Shown:
    """What an execution answers beside its output."""

    def __init__(self):
        self.value = ""
        self.artifacts = []
        self.left = MOST_ARTIFACTS

    def show(self, value):
        text = repr(value)
        if len(text) > MOST_VALUE:
            text = text[:MOST_VALUE] + "…"
        self.value = text
        if isinstance(value, type):
            return
        for method, mime, name in (
            ("_repr_png_", "image/png", "value.png"),
            ("_repr_svg_", "image/svg+xml", "value.svg"),
            ("_repr_html_", "text/html", "value.html"),
        ):
            represent = getattr(value, method, None)
            data = represent() if callable(represent) else None
            if isinstance(data, tuple):
                data = data[0]
            if isinstance(data, str):
                data = data.encode("utf-8", "replace")
            if isinstance(data, bytes):
                self.add(mime, name, data)

    def figures(self):
        """Takes the plots that the code has left open, and closes them."""
        plots = sys.modules.get("matplotlib.pyplot")
        if plots is None:
            return
        for number in plots.get_fignums():
            data = io.BytesIO()
            plots.figure(number).savefig(data, format="png", bbox_inches="tight")
            self.add("image/png", "figure-%d.png" % number, data.getvalue())
        plots.close("all")

    def add(self, mime, name, data):
        if len(data) > self.left:
            print("vm: %s is left out: artifacts are at most %d MiB together" % (name, MOST_ARTIFACTS >> 20), file=sys.stderr)
            return
        self.left -= len(data)
        self.artifacts += [mime, name, base64.b64encode(data).decode()]


def exit_code(code):
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 255
    print(code, file=sys.stderr)
    return 1


def show_error():
    """Prints the error as Python does, without this file's own frames."""
    kind, error, trace = sys.exc_info()
    told = traceback.TracebackException(kind, error, trace)
    part = told
    while part is not None:
        part.stack[:] = [frame for frame in part.stack if frame.filename != __file__]
        part = part.__cause__ or part.__context__
    lines = list(told.format())
    if not told.stack and lines[0].startswith("Traceback"):
        del lines[0]
    try:
        sys.stdout.flush()
        sys.stderr.write("".join(lines))
    except Exception:
        os.write(2, ("%s\n" % kind.__name__).encode())


Kernel().serve()

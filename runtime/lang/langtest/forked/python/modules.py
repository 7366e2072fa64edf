# Modules that the interpreter had while it waited are as new.
import _ctypes
import asyncio
import ctypes
import gc
import itertools
import json
import random
import resource
import socket
import warnings

a, b = socket.socketpair()
a.sendall(b"sent")
print(b.recv(4), socket.getdefaulttimeout(), ctypes.CDLL(None).getppid() > 0, ctypes.sizeof(ctypes.c_void_p))
print(asyncio.run(asyncio.sleep(0, "slept")), json.dumps(list(itertools.islice(itertools.count(), 3))), gc.isenabled(), gc.get_threshold())
print(ctypes.PyDLL(None).Py_IsInitialized(), resource.getpagesize(), warnings.filters)
try:
    socket.create_connection(("127.0.0.1", 1))
except ConnectionError as e:
    print(type(e), socket.error is OSError)


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
def doubled(n):
    return 2 * n


print(doubled(21))

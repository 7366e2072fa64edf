# No frame is below a program's own.
import inspect
import sys
import threading
import traceback

print(len(inspect.stack()), sys._getframe().f_back, threading.main_thread().name, threading.current_thread() is threading.main_thread())
print(threading.active_count(), threading.get_native_id() == __import__("os").getpid(), len(sys._current_frames()))
traceback.print_stack()


def deep(n):
    return deep(n + 1)


try:
    deep(0)
except RecursionError as e:
    print(e, 990 < len(traceback.extract_tb(e.__traceback__)) <= 1000)

# What is done when a program has ended, in which order.
import atexit
import threading
import time
import weakref


class Loud:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("del", self.name)


def generator():
    try:
        yield
    finally:
        print("generator closed")


held = Loud("held")
cycle = Loud("cycle")
cycle.self = cycle
running = generator()
next(running)
weakref.finalize(held, print, "finalized")
atexit.register(print, "at exit")
threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
unflushed = open("unflushed", "w")
unflushed.write("text")
print("main")

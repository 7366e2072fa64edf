import atexit
import sys

atexit.register(print, "last", flush=True)
sys.stdout.write("no newline")
sys.exit(7)

# What a program is told of itself.
import sys
import neighbour

print(__name__, __file__, __spec__, __package__, __doc__, type(__loader__), __loader__.path, __annotations__, __cached__)
print(sys.argv, sys.orig_argv, sys.path, sys.executable, sys.flags)
print(sorted(sys.modules), sorted(globals()), sys.modules["__main__"].__dict__ is globals())
print(neighbour.answer, neighbour.__file__)

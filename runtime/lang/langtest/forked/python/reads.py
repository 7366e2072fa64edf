import sys

print(input())
print(sys.stdin.read(), end="")
print(repr(sys.stdin.read()))

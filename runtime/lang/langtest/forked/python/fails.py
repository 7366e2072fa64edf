def f():
    raise ValueError("größer")


try:
    f()
except ValueError as e:
    raise RuntimeError("boom") from e

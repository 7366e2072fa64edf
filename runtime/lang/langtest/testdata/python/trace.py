def inner(n):
    return 10 / n  # HERE

def outer(n):
    return inner(n - 1)  # FRAME

print(outer(1))  # FRAME

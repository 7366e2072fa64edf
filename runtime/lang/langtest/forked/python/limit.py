import resource

print(resource.getrlimit(resource.RLIMIT_FSIZE))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
with open("large", "wb") as f:
    f.write(b"x" * (1 << 17))

# An interpreter's own hash seed, for all that a program does.
d = {chr(i) * 3: i for i in range(1000)}
print(all(d[chr(i) * 3] == i for i in range(1000)), hash("x") == hash("x"), id(d) > 0)
import random, uuid
print(random.random() != random.random(), uuid.uuid4() != uuid.uuid4())

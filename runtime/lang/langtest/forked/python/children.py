import multiprocessing
import os
import subprocess
import sys


def work(n):
    return n * n, __name__ in ("__main__", "__mp_main__")


if __name__ == "__main__":
    for method in "fork", "spawn":
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(work, range(3)))
    print(subprocess.run([sys.executable, "-c", "import sys; print(sys.argv)"], capture_output=True, text=True))
    pid = os.fork()
    if pid == 0:
        print("child", flush=True)
        os._exit(3)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

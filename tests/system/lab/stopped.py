"""One thread of a process, stopped as if it had hung, while the others go on."""
import ctypes
import os

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def thread_named(pid, name):
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as stream:
            if stream.read().strip() == name:
                return int(thread)
    raise LookupError(f"process {pid} has no thread '{name}'")


class Stopped:
    """Only the thread that made it may end it."""

    def __init__(self, pid, name):
        self.thread, self._gone = thread_named(pid, name), False

    def __enter__(self):
        for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
            if libc.ptrace(request, self.thread, None, None) != 0:
                raise OSError(ctypes.get_errno(), f"ptrace of thread {self.thread}")
        os.waitpid(self.thread, WALL)
        return self

    def gone(self):
        """Has it ended? Until this was asked, its process has not, for whoever waits for it."""
        if not self._gone:
            found, status = os.waitpid(self.thread, WALL | os.WNOHANG)
            self._gone = found == self.thread and (os.WIFEXITED(status) or os.WIFSIGNALED(status))
        return self._gone

    def __exit__(self, *_):
        if not self.gone() and libc.ptrace(PTRACE_DETACH, self.thread, None, None) != 0:
            os.waitpid(self.thread, WALL)  # it ends just now

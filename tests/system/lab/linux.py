"""The few Linux calls that Python 3.11 has no name for. Each raises OSError."""
import ctypes
import os
import threading

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags):
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor, kind):
    _checked(_libc.setns(descriptor, kind), "setns")


def mount(source, target, kind=None, flags=0):
    encode = lambda text: None if text is None else os.fsencode(text)  # noqa: E731
    _checked(_libc.mount(encode(source), encode(target), encode(kind), flags, None), f"mount {target}")


def umount(target):
    _checked(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def die_with_parent(signal_number):
    _checked(_libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl")


def in_namespace(path, function):
    """Runs function() on a thread of its own inside the network namespace at `path`; sockets made there stay there."""
    outcome = {}

    def body():
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                setns(descriptor, CLONE_NEWNET)
            finally:
                os.close(descriptor)
            outcome["value"] = function()
        except BaseException as error:  # handed to the caller's thread
            outcome["error"] = error

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]

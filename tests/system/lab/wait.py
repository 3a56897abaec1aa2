"""Waiting for a condition, with a deadline: the only way in which the lab lets time pass."""
import threading
import time

_never = threading.Event()


class TimedOut(Exception):
    pass


def until(condition, seconds, what):
    """Returns condition()'s first true value; raises TimedOut naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimedOut(f"after {seconds} s still not: {what}")
        _never.wait(0.02)


def holds(condition, seconds):
    """True when condition() became true within `seconds`."""
    try:
        return bool(until(condition, seconds, ""))
    except TimedOut:
        return False


def stays(condition, seconds):
    """True when condition() stayed true for all of `seconds`: an observation window, for what must not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            return False
        _never.wait(0.02)
    return bool(condition())

"""Which files hold checks, in the order in which they run."""
import importlib

FILES = ("check_lab",)


def load():
    for name in FILES:
        importlib.import_module(f"lab.{name}")

"""The few facts of ELF files that the binary checks need, read with binutils."""
import pathlib
import subprocess
import tempfile


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


def is_elf(path):
    with open(path, "rb") as stream:
        return stream.read(4) == b"\x7fELF"


def executables(folder):
    return sorted(path for path in pathlib.Path(folder).iterdir() if path.is_file() and is_elf(path))


def defined_symbols(path):
    """Names of functions and data that are in the file (archive members included)."""
    return {line.split()[-1] for line in run("nm", "--defined-only", str(path)).splitlines() if len(line.split()) == 3}


def needed(path):
    return [line.split("[")[1].rstrip("]") for line in run("readelf", "-dW", str(path)).splitlines() if "(NEEDED)" in line]


def loaded_strings(path):
    """Texts in the file without its debug information, which names the library's whole enumeration of code points."""
    with tempfile.NamedTemporaryFile() as stripped:
        run("objcopy", "--strip-debug", str(path), stripped.name)
        return set(run("strings", "-n", "6", stripped.name).splitlines())

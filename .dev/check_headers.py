#!/usr/bin/env python3
"""usage: check_headers.py ROOT BUILD CACHE   Every header of the tree compiles alone, with the flags of a neighbour."""
import os
import subprocess
import sys

import tool_cache


def neighbours(header, commands, root):
    """The different sets of flags of the translation units that share the longest folder path with the header; that of the
    file of the same name comes first. A folder can hold files of several targets, and a header belongs to one of them."""
    def closeness(file):
        return len(os.path.commonpath([os.path.dirname(file), os.path.dirname(header)])), "/tests/" not in file
    files = [file for file in commands if file.startswith(root)]
    nearest = max(map(closeness, files))
    stem = os.path.splitext(header)[0]
    near = sorted((file for file in files if closeness(file) == nearest), key=lambda file: (os.path.splitext(file)[0] != stem, file))
    return list({tuple(commands[file][1]): commands[file] for file in near}.values())


def main(root, build, cache):
    root = os.path.realpath(root)
    commands = {file: value for file, value in tool_cache.compile_commands(build).items() if file.endswith(".cc")}
    listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "*.h"], capture_output=True, check=True)
    headers = [os.path.join(root, name) for name in listed.stdout.decode().split("\0") if name.startswith(tool_cache.SOURCES)]

    def work(header):
        choices = neighbours(header, commands, root)
        # A header as main file would warn about its own #pragma once.
        flags = ["-fsyntax-only", "-Wno-pragma-once-outside-header", "-Wno-unused-function", "-x", "c++", header]
        directory, words = choices[0]
        key = tool_cache.key_of([*(tool_cache.anywhere([*one, *flags[:-1]], root) for _, one in choices), os.path.relpath(header, root)],
                                tool_cache.dependencies(directory, [*words, "-x", "c++"], header))

        def judge():
            first, spent = "", 0.0
            for where, one in choices:
                status, _, error, seconds = tool_cache.run([*one, *flags], where)
                spent += seconds
                if status == 0:
                    return True, "", spent
                first = first or error
            return False, first, spent
        return key, judge

    return 1 if tool_cache.run_all(headers, work, cache) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

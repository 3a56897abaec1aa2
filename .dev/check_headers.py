#!/usr/bin/env python3
"""usage: check_headers.py ROOT BUILD CACHE   Every header of the tree compiles alone, with the flags of a neighbour."""
import os
import subprocess
import sys

import tool_cache


def nearest_command(header, commands, root):
    """The flags of the translation unit that shares the longest folder path (include directories differ by target)."""
    def closeness(file):
        return len(os.path.commonpath([os.path.dirname(file), os.path.dirname(header)])), "/tests/" not in file
    return max((file for file in commands if file.startswith(root)), key=closeness)


def main(root, build, cache):
    root = os.path.realpath(root)
    commands = {file: value for file, value in tool_cache.compile_commands(build).items() if file.endswith(".cc")}
    listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "*.h"], capture_output=True, check=True)
    headers = [os.path.join(root, name) for name in listed.stdout.decode().split("\0") if name.startswith(tool_cache.SOURCES)]

    def work(header):
        directory, words = commands[nearest_command(header, commands, root)]
        # A header as main file would warn about its own #pragma once.
        command = [*words, "-fsyntax-only", "-Wno-pragma-once-outside-header", "-Wno-unused-function", "-x", "c++", header]
        key = tool_cache.key_of([tool_cache.anywhere(command[:-1], root), os.path.relpath(header, root)],
                                tool_cache.dependencies(directory, [*words, "-x", "c++"], header))

        def judge():
            status, _, error, seconds = tool_cache.run(command, directory)
            return status == 0, error, seconds
        return key, judge

    return 1 if tool_cache.run_all(headers, work, cache) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

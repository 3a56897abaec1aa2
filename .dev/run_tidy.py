#!/usr/bin/env python3
"""usage: run_tidy.py ROOT BUILD CACHE [PLUGIN]   clang-tidy 19 over every translation unit of the tree; clean verdicts are remembered.
PLUGIN is what .dev/tidy/own_code.cc was compiled to."""
import os
import pathlib
import subprocess
import sys

import tool_cache


def profile_of(file, root):
    """The text of every .clang-tidy that has a say in how a file is judged."""
    folders = [folder for folder in pathlib.Path(file).parents if folder.is_relative_to(root)]
    return "".join((folder / ".clang-tidy").read_text() for folder in folders if (folder / ".clang-tidy").exists())


def main(root, build, cache, plugin=None):
    root = os.path.realpath(root)
    commands = tool_cache.compile_commands(build)
    # The largest first, so that none of them is alone at the end.
    files = sorted((file for file in commands if file.endswith(".cc") and os.path.relpath(file, root).startswith(tool_cache.SOURCES)),
                   key=lambda file: -os.path.getsize(file))
    if not files:
        print("no translation unit found")
        return 1
    version = subprocess.run(["clang-tidy-19", "--version"], capture_output=True, text=True, check=True).stdout
    options = [f"--load={plugin}", "--checks=sallyport-own-code"] if plugin else []
    if plugin:
        version += pathlib.Path(plugin).name

    def work(file):
        directory, words = commands[file]
        key = tool_cache.key_of([version, profile_of(file, root), tool_cache.anywhere(words, root), os.path.relpath(file, root)],
                                tool_cache.dependencies(directory, words, file))

        def judge():
            status, out, error, seconds = tool_cache.run(["nice", "clang-tidy-19", "--quiet", *options, "-p", build, file])
            return status == 0, out or error, seconds
        return key, judge

    return 1 if tool_cache.run_all(files, work, cache) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

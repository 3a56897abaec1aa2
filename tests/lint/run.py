#!/usr/bin/env python3
"""usage: run.py ROOT [--self-test] [LINT...]   Runs the lints over the tree, or over what each lint has planted."""
import sys

import arrows
import docs
import source
import style
import symbols
import words

LINTS = {"arrows": arrows, "symbols": symbols, "style": style, "words": words, "docs": docs}


def self_test(name, lint):
    """A lint must see what is planted for it and must be silent on what is clean."""
    problems = []
    for tree, expected in lint.PLANTED:
        found = lint.check(tree)
        if not any(expected in problem for problem in found):
            problems.append(f"lint {name} misses a planted violation ({expected}) in {tree}: {found}")
    for tree in lint.CLEAN:
        found = lint.check(tree)
        if found:
            problems.append(f"lint {name} cries at a clean tree: {found}")
    return problems


def main(arguments):
    root, *rest = arguments
    testing = "--self-test" in rest
    names = [name for name in rest if not name.startswith("--")] or list(LINTS)
    tree = {} if testing else source.read_tree(root)
    problems = []
    for name in names:
        problems += self_test(name, LINTS[name]) if testing else LINTS[name].check(tree)
    print("\n".join(problems) if problems else f"{', '.join(names)}: nothing found in {len(tree) or 'planted'} files")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

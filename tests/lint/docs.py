"""Documents lead somewhere: every relative link stands for a file, and a first reader gets from the README to any stage of the
packet's way in two jumps (README, tour, stage)."""
import posixpath
import re

_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
README, TOUR = "README.md", "docs/tour.md"
STAGES = "dataplane/stages/"


def links(path, text):
    """(line number, target relative to the root) of every relative link of a document."""
    for number, line in enumerate(text.split("\n"), 1):
        for match in _LINK.finditer(line):
            if "://" not in match.group(1) and not match.group(1).startswith("mailto:"):
                yield number, posixpath.normpath(posixpath.join(posixpath.dirname(path), match.group(1)))


def check(tree):
    folders = {posixpath.dirname(path) for path in tree}
    while "" not in folders or {posixpath.dirname(folder) for folder in folders} - folders:
        folders |= {posixpath.dirname(folder) for folder in folders}
    problems = []
    for path, text in tree.items():
        if path.endswith(".md"):
            problems += [f"{path}:{number}: leads nowhere: {target}" for number, target in links(path, text)
                         if target not in tree and target not in folders]
    if README in tree and TOUR not in {target for _, target in links(README, tree[README])}:
        problems.append(f"{README}: does not lead to {TOUR}")
    if TOUR in tree:
        shown = {posixpath.splitext(target)[0] for _, target in links(TOUR, tree[TOUR])}
        stages = {posixpath.splitext(path)[0] for path in tree if path.startswith(STAGES) and path.endswith((".cc", ".h"))}
        problems += [f"{TOUR}: no link to the stage {stage}" for stage in sorted(stages - shown)]
    return problems


PLANTED = [
    ({"docs/a.md": "[gone](b.md)\n"}, "leads nowhere: docs/b.md"),
    ({"docs/a.md": "[gone](../policy/none)\n", "policy/b.h": ""}, "leads nowhere: policy/none"),
    ({"README.md": "[docs](docs/README.md)\n", "docs/README.md": "", "docs/tour.md": ""}, "does not lead to docs/tour.md"),
    ({"docs/tour.md": "[parse](../dataplane/stages/parse.cc)\n", "dataplane/stages/parse.cc": "", "dataplane/stages/bind.cc": ""},
     "no link to the stage dataplane/stages/bind"),
]
CLEAN = [{
    "README.md": "[tour](docs/tour.md#a) [web](https://a.example/x)\n",
    "docs/tour.md": "[parse](../dataplane/stages/parse.cc) [all](../dataplane/stages)\n",
    "dataplane/stages/parse.cc": "", "dataplane/stages/parse.h": "",
}]

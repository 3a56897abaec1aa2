"""What the lints look at: the tree's files with their text, and C++ text without comments and literals."""
import pathlib
import re
import subprocess

CPP_SUFFIXES = (".h", ".cc")

# One pass over comments, raw strings, strings and characters, so that none hides inside another.
_TOKEN = re.compile(
    r"""(?P<line>//(?:\\\n|[^\n])*)"""
    r"""|(?P<block>/\*.*?\*/)"""
    r"""|(?P<raw>R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)")"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*")"""
    r"""|(?P<char>(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+')""",
    re.DOTALL | re.VERBOSE,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>\n]+>|"[^"\n]+")', re.MULTILINE)


def read_tree(root):
    """Path relative to the root -> text, for every file that is tracked or could be."""
    root = pathlib.Path(root)
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"],
        check=True, capture_output=True).stdout.decode().split("\0")
    tree = {}
    for name in sorted(set(filter(None, listed))):
        path = root / name
        if not path.is_file():
            continue
        try:
            tree[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # fuzz seeds and captures
    return tree


def code_only(text):
    """C++ text with comments and literals blanked; lines keep their numbers."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return _TOKEN.sub(blank, text)


def without_comments(text):
    def blank(match):
        if match.lastgroup in ("line", "block"):
            return re.sub(r"[^\n]", " ", match.group(0))
        return match.group(0)
    return _TOKEN.sub(blank, text)


def includes(text):
    """(line number, header, is it <...>) of each include directive."""
    bare = without_comments(text)
    for match in _INCLUDE.finditer(bare):
        token = match.group(1)
        yield bare.count("\n", 0, match.start(1)) + 1, token[1:-1], token[0] == "<"


def matches(pattern, text):
    """(line number, matched text) of each match."""
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield text.count("\n", 0, match.start()) + 1, match.group(0)

"""Words that must not be in the tree: paths of one machine, hosts of one mirror, key material."""
import re

# Written apart, so that this file does not find itself.
FORBIDDEN = [
    (re.compile("/" + r"work/(shared|main|\.library)"), "a path of one machine"),
    (re.compile("/tmp/" + r"(wt|brief)\b"), "a path of one machine"),
    (re.compile(r"/(home|Users)/" + r"[a-z]\w*/"), "a path of one machine"),
    (re.compile(r"\b(deb|security|ftp|snapshot|packages)\." + r"(\w+\.)*debian\.org\b"), "a mirror's host: derive it from the machine"),
    (re.compile("-----BEGIN " + r"(RSA |EC )?PRIVATE KEY-----"), "a private key"),
]


def check(tree):
    problems = []
    for path, text in tree.items():
        for number, line in enumerate(text.split("\n"), 1):
            problems += [f"{path}:{number}: {why}: {found.group(0)}" for pattern, why in FORBIDDEN if (found := pattern.search(line))]
    return problems


PLANTED = [
    ({"docs/a.md": "see /" + "work/shared/x.md\n"}, "one machine"),
    ({"control/a.cc": "// /tmp/" + "wt/build\n"}, "one machine"),
    ({"docs/a.md": "/ho" + "me/someone/x\n"}, "one machine"),
    ({"dev": "http://deb." + "debian.org/debian\n"}, "mirror's host"),
    ({"tests/a.pem": "-----BEGIN " + "PRIVATE KEY-----\n"}, "a private key"),
]
CLEAN = [{"docs/a.md": "/etc/sallyport/gateway.yaml and www.debian.org\n"}]

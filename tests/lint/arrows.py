"""Who may include whom. There is no exception list, and there shall be none.

control, dataplane and tls-termination meet only in policy; policy knows none of them; policy/base knows only itself;
the engines are pure (no sockets, files, clocks, threads); policy/os is the one shared place of process walls.
"""
import re

import source

SIBLINGS = ("control", "dataplane", "tls-termination")
ENGINES = ("model", "compile", "decide", "explain", "prove", "admission", "mud", "review", "document", "wire")
PRODUCT = SIBLINGS + ("policy",)

IMPURE = re.compile(
    r"^(sys/.*|linux/.*|net/.*|netinet/.*|netpacket/.*|arpa/inet\.h|netdb\.h|unistd\.h|fcntl\.h|poll\.h|signal\.h|csignal"
    r"|dirent\.h|pthread\.h|sched\.h|spawn\.h|syslog\.h|fstream|filesystem|iostream|cstdio|stdio\.h|ctime|time\.h"
    r"|thread|mutex|shared_mutex|condition_variable|future|random)$")
# Both are named so that the engines' I/O-free rule cannot be escaped through a library.
IMPURE_LIBRARIES = re.compile(r"^(spdlog/|yaml-cpp/|rte_|wolfssl/|openvswitch/|ares\.h)")


def layer(path):
    """'control', 'policy/base', 'tests' ... of a rooted path; None for headers that are not ours."""
    parts = path.split("/")
    if parts[0] == "policy" and len(parts) > 2:
        return "policy/" + parts[1]
    if parts[0] in SIBLINGS + ("tests",) and len(parts) > 1:
        return parts[0]
    return None


def forbidden(origin, target):
    """Why a file of layer `origin` may not include a header of layer `target`; None when it may."""
    if origin == target or origin == "tests":
        return None
    if target == "tests":
        return "the product includes nothing of tests/"
    if origin in SIBLINGS:
        return "siblings meet only in policy/" if target in SIBLINGS else None
    if target in SIBLINGS:
        return "policy knows no sibling"
    if origin == "policy/base":
        return "policy/base includes nothing but policy/base"
    if origin == "policy/os":
        return None if target in ("policy/base", "policy/wire") else "policy/os includes only policy/base and policy/wire"
    if target == "policy/os":
        return "engines have no I/O: policy/os is not for them"
    return None


def check(tree):
    problems = []
    for path, text in tree.items():
        origin = layer(path)
        if origin is None or not path.endswith(source.CPP_SUFFIXES):
            continue
        pure = origin.startswith("policy/") and origin != "policy/os"
        for line, header, angled in source.includes(text):
            target = layer(header)
            reason = forbidden(origin, target) if target else None
            if reason:
                problems.append(f"{path}:{line}: includes {header}: {reason}")
            if not angled and target is None and "/" not in header and origin != "tests" and not header.endswith("_generated.h"):
                if f"{path.rsplit('/', 1)[0]}/{header}" in tree:
                    problems.append(f"{path}:{line}: includes {header}: includes are rooted at the repository")
            if pure and origin != "policy/base" and (IMPURE.match(header) or IMPURE_LIBRARIES.match(header)):
                fence = path in ("policy/wire/digest.cc", "policy/wire/signature.cc")
                if not (fence and (header.startswith("wolfssl/wolfcrypt/") or header == "wolfssl/options.h")):
                    problems.append(f"{path}:{line}: includes {header}: engines have no sockets, files, clocks or threads")
    return problems


PLANTED = [
    ({"control/a.cc": '#include "dataplane/flow/table.h"\n'}, "siblings meet only in policy/"),
    ({"dataplane/a.cc": '#  include <tls-termination/x.h>\n'}, "siblings meet only in policy/"),
    ({"tls-termination/a.h": '#include "control/x.h"\n'}, "siblings meet only in policy/"),
    ({"policy/decide/a.cc": '#include "dataplane/x.h"\n'}, "policy knows no sibling"),
    ({"policy/base/a.h": '#include "policy/model/model.h"\n'}, "nothing but policy/base"),
    ({"policy/os/a.h": '#include "policy/model/model.h"\n'}, "only policy/base and policy/wire"),
    ({"policy/compile/a.h": '#include "policy/os/sandbox.h"\n'}, "policy/os is not for them"),
    ({"policy/prove/a.cc": "#include <sys/socket.h>\n"}, "no sockets"),
    ({"policy/mud/a.cc": "#include <fstream>\n"}, "no sockets"),
    ({"policy/admission/a.cc": "#include <ctime>\n"}, "no sockets"),
    ({"control/a.cc": '#include "tests/support/packet_builder.h"\n'}, "nothing of tests/"),
    ({"dataplane/flow/a.cc": '#include "a.h"\n', "dataplane/flow/a.h": "#pragma once\n"}, "rooted at the repository"),
]
CLEAN = [
    {"control/a.cc": '#include "policy/wire/snapshot.h"\n// #include "dataplane/x.h"\n'},
    {"policy/os/a.cc": '#include <sys/mman.h>\n#include "policy/wire/snapshot.h"\n'},
    {"policy/decide/a.cc": '#include "policy/model/model.h"\n#include <chrono>\n'},
    {"tests/unit/x.cc": '#include "dataplane/x.h"\n#include "control/y.h"\n'},
]

"""Words that may stand only in one folder: C libraries are fenced, tests wait for conditions, policy has no clock."""
import re

import source

ANYWHERE = r"^(control|dataplane|tls-termination|policy|tests)/"

# (what, pattern, where the rule holds, where the word is at home, what to do instead)
RULES = [
    ("DPDK", r"\b(rte|RTE)_\w+", ANYWHERE, r"^(dataplane/dpdk/|tests/(unit|perf|support)/(dataplane/)?dpdk)",
     "rte_* belongs to dataplane/dpdk"),
    ("wolfSSL", r"\b(wolfSSL|WOLFSSL|wolfTLS|wolfDTLS)\w*", ANYWHERE,
     r"^(tls-termination/wolfssl/|tests/unit/(tls-termination/)?wolfssl\w*/)",
     "wolfSSL_* belongs to tls-termination/wolfssl"),
    ("wolfCrypt", r"\bwc_\w+", ANYWHERE, r"^(tls-termination/wolfssl/|policy/wire/(digest|signature)\.cc$|control/cli/private_key\.cc$|tests/unit/(tls-termination/)?wolfssl\w*/)",
     "wc_* belongs to tls-termination/wolfssl, policy/wire/digest.cc, policy/wire/signature.cc and control/cli/private_key.cc"),
    ("OVSDB", r"\b(ovsdb_(idl|datum|type|base)|ovsrec|gwrec)_\w+", ANYWHERE, r"^(control/ovsdb/|tests/unit/control/ovsdb)",
     "OVSDB belongs to control/ovsdb"),
    ("yaml-cpp", r"\bYAML::\w+", ANYWHERE, r"^control/config/", "yaml-cpp belongs to control/config"),
    ("sleep", r"\b(sleep_for|sleep_until|usleep|nanosleep|(?<![.\w>])sleep)\s*\(", r"^tests/", r"^$",
     "a test waits for a condition with a deadline, it never sleeps"),
    ("clock", r"_clock::now\s*\(|\b(clock_gettime|gettimeofday|timespec_get|__rdtsc|__builtin_ia32_rdtsc)\b"
     r"|(?<![.\w>])time\s*\(\s*(nullptr|NULL|0|&)", r"^policy/(?!os/)", r"^$", "policy has no clock: `now` is an argument"),
    ("shell", r"(?<![.\w>])(std::)?(system|popen)\s*\(", ANYWHERE, r"^$", "no shell: say what to run as an argument vector"),
    ("environment", r"(?<![.\w>])(std::)?getenv\s*\(", r"^policy/(?!os/)", r"^$", "policy reads no environment"),
]
_PY_DEF = re.compile(r"^\s*(?:async\s+)?def\s+(\w+)")


def check(tree):
    problems = []
    for path, text in tree.items():
        if path.endswith(".py") and path.startswith("tests/") and not path.startswith("tests/lint/"):
            problems += check_python_sleep(path, text)
        if not path.endswith(source.CPP_SUFFIXES):
            continue
        code = source.code_only(text)
        for _, pattern, where, home, advice in RULES:
            if re.search(where, path) and not re.search(home, path):
                problems += [f"{path}:{line}: {word.strip()}: {advice}" for line, word in source.matches(pattern, code)]
        for line, header, _ in source.includes(text):
            if header.startswith("yaml-cpp/") and re.search(ANYWHERE, path) and not path.startswith("control/config/"):
                problems.append(f"{path}:{line}: {header}: yaml-cpp belongs to control/config")
            if header.startswith("wolfssl/") and re.search(ANYWHERE, path) and not re.search(f"{RULES[1][3]}|{RULES[2][3]}", path):
                problems.append(f"{path}:{line}: {header}: wolfSSL's headers belong to tls-termination/wolfssl")
    return problems


def check_python_sleep(path, text):
    """Python tests may pause between two looks at a condition: only inside a function named wait_* (or poll_*)."""
    problems = []
    function = ""
    for number, line in enumerate(text.split("\n"), 1):
        found = _PY_DEF.match(line)
        if found:
            function = found.group(1)
        if re.search(r"\btime\.sleep\s*\(", line.split("#")[0]) and not re.match(r"_?(wait|poll|until)", function):
            problems.append(f"{path}:{number}: time.sleep in {function or 'the module'}: only a wait_* function may pause")
    return problems


PLANTED = [
    ({"dataplane/stages/a.cc": "void f() { rte_pktmbuf_free(m); }\n"}, "dataplane/dpdk"),
    ({"tls-termination/session/a.cc": "int f() { return wolfSSL_accept(s); }\n"}, "tls-termination/wolfssl"),
    ({"policy/wire/snapshot.cc": "int f() { return wc_InitSha256(&s); }\n"}, "digest.cc"),
    ({"control/app/a.cc": "int f() { return wc_ecc_sign_hash(d, n, s, &m, r, k); }\n"}, "private_key.cc"),
    ({"control/app/a.cc": "void f() { ovsdb_idl_run(idl); }\n"}, "control/ovsdb"),
    ({"control/reconcile/a.cc": "YAML::Node n;\n"}, "control/config"),
    ({"control/reconcile/a.cc": "#include <yaml-cpp/yaml.h>\n"}, "control/config"),
    ({"dataplane/app/a.cc": "#include <wolfssl/ssl.h>\n"}, "headers belong"),
    ({"tests/unit/x/a.cc": "void f() { std::this_thread::sleep_for(1s); }\n"}, "never sleeps"),
    ({"tests/unit/x/a.cc": "void f() { usleep(10); }\n"}, "never sleeps"),
    ({"tests/unit/x/a.cc": "void f() { sleep(1); }\n"}, "never sleeps"),
    ({"tests/system/a.py": "import time\ndef check():\n    time.sleep(1)\n"}, "only a wait_* function"),
    ({"policy/compile/a.cc": 'auto* v = std::getenv("HOME");\n'}, "no environment"),
    ({"policy/admission/a.cc": "auto t = std::chrono::steady_clock::now();\n"}, "no clock"),
    ({"policy/base/a.cc": "auto t = time(nullptr);\n"}, "no clock"),
    ({"control/app/a.cc": 'void f() { std::system("ip link"); }\n'}, "no shell"),
    ({"dataplane/app/a.cc": 'auto* p = popen("ls", "r");\n'}, "no shell"),
]
CLEAN = [
    {"dataplane/dpdk/port.cc": "void f() { rte_eth_dev_start(0); }\n"},
    {"dataplane/stages/a.cc": "// rte_mbuf is not named here\nconst char* s = \"rte_mbuf\";\n"},
    {"tls-termination/wolfssl/a.cc": "int f() { return wolfSSL_accept(s) + wc_InitSha256(&h); }\n"},
    {"policy/wire/digest.cc": "int f() { return wc_InitSha256(&s); }\n"},
    {"policy/wire/signature.cc": "int f() { return wc_ecc_init(&k); }\n"},
    {"tests/unit/x/a.cc": "void f() { loop.run_until(deadline); clock.sleep(3); }\n"},
    {"policy/os/a.cc": "const auto deadline = std::chrono::steady_clock::now() + wait;\n"},
    {"tests/system/a.py": "import time\ndef wait_for(ok):\n    time.sleep(0.01)\n"},
    {"control/app/a.cc": "void f() { file_system(); x.system(); }\n"},
]

"""Bulk through a terminated conduit: the host stacks cut and merge on the way, and every byte arrives."""
import hashlib
import os
import random

from . import tls, topology
from .checks import check

SIZE = 16 << 20
FILE = "recording.bin"
# Of either, the least that so much data in segments of a wire comes to, were half of them single.
SEGMENTS = SIZE // 1500 // 2


def counted(lab):
    counters = lab.gateway.read("show", "counters")
    return {name: counters["tap_" + name] for name in ("to_host", "to_host_merged", "to_host_supers", "to_host_failed", "from_host_cut",
                                                       "from_host_supers", "from_host_dropped")}


def bulk_passes(lab, version):
    lab.policy()
    recording = random.randbytes(SIZE)
    path = os.path.join(lab.work_dir, "camera", FILE)
    with open(path, "wb") as stream:
        stream.write(recording)
    try:
        before = counted(lab)
        status, data, detail = tls.fetch(lab, topology.GATEWAY_ADDRESS["office"][version], FILE, timeout=60)
        moved = {name: value - before[name] for name, value in counted(lab).items()}
    finally:
        os.unlink(path)
    whole = status == 0 and hashlib.sha256(data).digest() == hashlib.sha256(recording).digest()
    # Merged into the field's stack, as the camera sent it; cut out of the office's, as the terminator wrote it.
    merged = moved["to_host_merged"] > SEGMENTS and moved["to_host_merged"] > 2 * moved["to_host_supers"]
    cut = moved["from_host_cut"] > SEGMENTS and moved["from_host_cut"] > 2 * moved["from_host_supers"]
    return whole and merged and cut and moved["to_host_failed"] == moved["from_host_dropped"] == 0, \
        f"{'whole' if whole else f'curl {status}, {len(data)} bytes {detail}'}; {moved['to_host_merged']} segments merged into " \
        f"{moved['to_host_supers']} frames of {moved['to_host']}, {moved['from_host_cut']} cut out of {moved['from_host_supers']}"


@check("bulk-terminated", f"{SIZE >> 20} MiB of the camera's over HTTPS, byte for byte; most segments reach the field's host stack merged and leave the "
       "office's in frames of several")
def bulk_terminated(lab):
    return bulk_passes(lab, 0)


@check("bulk-terminated-ipv6", "the same over IPv6")
def bulk_terminated_ipv6(lab):
    return bulk_passes(lab, 1)

"""`sallyctl top`: rates by segment, conduit and drop reason, as they are on the wire."""
import json
import os
import signal
import subprocess
import threading

from . import traffic, variants, wait
from .check_explain_drops import DENIED_PORT, syn
from .checks import check
from .sender import Pace, Sender

DENIED_PER_SECOND = 500


def deny(host, target, ended):
    """SYNs that no conduit permits, at a steady pace until told."""
    pace, packet = Pace(DENIED_PER_SECOND, burst=10), syn(host, target, DENIED_PORT)
    with Sender(host.namespace) as sender:
        while not ended.is_set():
            sender.send(packet)
            pace.step()


@check("top-rates", f"while the meter polls the PLC and a camera sends {DENIED_PER_SECOND} forbidden SYNs a second, three seconds of top name the conduit, the reason "
       "and the segment with their rates; on a pipe the tables follow each other, and Ctrl-C ends it with status 0")
def top_rates(lab):
    lab.policy(variants.METER_READS_PLC)
    camera, plc, ended = lab.host("camera"), lab.host("plc"), threading.Event()
    denier = threading.Thread(target=deny, args=(camera, plc.v4, ended))
    try:
        with traffic.Poller(lab, "meter", plc.v4, 502, "topped") as poller:
            wait.until(lambda: poller.answers() > 2, 10, "the connection is open")
            denier.start()
            wait.until(lambda: lab.gateway.read("show", "counters")["drops"]["default-deny"] > DENIED_PER_SECOND // 5, 5, "SYNs are dropped")
            told = [json.loads(line) for line in lab.gateway.ctl("--json", "top", "--interval", "1", "--count", "3").stdout.splitlines()]
            status, text = watch_until_interrupted(lab)
    finally:
        ended.set()
        if denier.ident:
            denier.join()
    conduits = [[row["pps"] for row in each["conduits"] if row["conduit"] == "meter-reads-plc"] for each in told]
    denied = [sum(row["pps"] for row in each["drops"] if row["reason"] == "default-deny") for each in told]
    arriving = [sum(row["in_pps"] for row in each["segments"] if row["segment"] == "field") for each in told]
    near = all(DENIED_PER_SECOND / 2 < rate < DENIED_PER_SECOND * 2 for rate in denied)
    seen = len(told) == 3 and all(rates and rates[0] > 0 for rates in conduits) and near and all(a > d for a, d in zip(arriving, denied))
    plain = status == 0 and "meter-reads-plc" in text and "default-deny" in text and "\x1b" not in text
    return seen and plain, f"denied {denied}/s, into field {arriving}/s, conduit {conduits}/s; interrupted: status {status}, {len(text.splitlines())} lines"


def watch_until_interrupted(lab):
    """Status and text of a `top` that is interrupted after its first table."""
    popen = subprocess.Popen([os.path.join(lab.gateway.bin, "sallyctl"), "--run-dir", lab.gateway.run_dir, "top", "--interval", "0.5"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        text = ""
        for line in popen.stdout:
            text += line
            if line.startswith("dropped, by reason"):
                popen.send_signal(signal.SIGINT)
        return popen.wait(10), text
    finally:
        popen.kill()
        popen.wait()
        popen.stdout.close()

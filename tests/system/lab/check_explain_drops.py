"""`sallyctl explain --last`, `trace` and filters: what was dropped is answered for after a flood, and one flow's way is told while it runs."""
import json
import os
import signal
import subprocess
import threading
import time

from . import frames, topology, traffic, variants, wait
from .checks import check
from .sender import Sender

FLOOD_SECONDS = 10
DENIED_PORT = 4433


def syn(host, target, port, version=0, source_port=45000, flags=frames.SYN, sequence=1):
    own = host.addresses[version]
    return frames.ethernet(host.gateway_mac, host.mac, frames.IPV6 if version else frames.IPV4, frames.ip(
        own, target, frames.TCP, frames.tcp(own, target, source_port, port, flags, sequence)))


def flood(host, end):
    """SYNs to ever other destinations and ports, as fast as the wire takes them, until `end`; how many."""
    count = 0
    packets = [syn(host, f"10.30.{number % 256}.{number // 256 + 20}", 1 + 7 * number % 60000, source_port=1024 + number) for number in range(4096)]
    with Sender(host.namespace) as sender:
        while time.monotonic() < end:
            sender.send(*packets)
            count += len(packets)
    return count


@check("explain-last-after-flood", f"a drop of the PLC is explained after a {FLOOD_SECONDS} s flood at full rate from an enrolled camera and from a "
       "stranger: its reason, its destination, and the binding of the PLC, as they were and as the tables in force say again")
def explain_last_after_flood(lab):
    lab.policy()
    plc, scada = lab.host("plc"), lab.host("scada")
    with Sender(plc.namespace) as sender:
        sender.send(syn(plc, scada.v4, DENIED_PORT))
    wait.until(lambda: lab.gateway.read("explain", "--last", "--device", "plc", plc.v4, f"{scada.v4}:{DENIED_PORT}")["drops"], 5,
               "the drop is on record")
    before = lab.gateway.read("show", "counters")["received"]
    sent, end = {}, time.monotonic() + FLOOD_SECONDS
    threads = [threading.Thread(target=lambda name=name: sent.update({name: flood(lab.host(name), end)})) for name in ("camera", "rogue")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    received = lab.gateway.read("show", "counters")["received"] - before
    drops = lab.gateway.read("explain", "--last", "--device", "plc", plc.v4, f"{scada.v4}:{DENIED_PORT}")["drops"]
    if len(drops) != 1:
        return False, f"{received} packets of {sum(sent.values())} later: {len(drops)} records"
    drop, told = drops[0], drops[0]["explanation"]
    steps = {step["stage"]: step["outcome"] for step in told["steps"]}
    right = drop["reason"] == told["reason"] == "default-deny" and drop["destination_port"] == DENIED_PORT and \
        steps["binding"] == steps["source"] == "plc" and steps["destination"] == "scada"
    text = lab.gateway.ctl("explain", "--last", "--device", "plc", plc.v4, f"{scada.v4}:{DENIED_PORT}").stdout
    enough = received > 50_000 and min(sent.values()) > 10_000
    return right and enough and "dropped: default-deny" in text, \
        f"{sum(sent.values())} sent, {received} came in, {received // FLOOD_SECONDS}/s; then told: {drop['device']} > {drop['destination']}:" \
        f"{drop['destination_port']} {drop['reason']}, binding {steps.get('binding')}"


@check("explain-last-revision", "a drop that the policy in force now would let pass names the revision that was in force, and the one that allows it")
def explain_last_revision(lab):
    lab.policy()
    meter, plc = lab.host("meter"), lab.host("plc")
    with Sender(meter.namespace) as sender:
        sender.send(syn(meter, plc.v4, 502))
    ends = (meter.v4, f"{plc.v4}:502")
    wait.until(lambda: lab.gateway.read("explain", "--last", "--device", "meter", *ends)["drops"], 5, "the drop is on record")
    then = lab.gateway.revision_in_force()
    lab.policy(variants.METER_READS_PLC)
    now = lab.gateway.revision_in_force()
    drop = lab.gateway.read("explain", "--last", "--device", "meter", *ends)["drops"][0]
    expected = f"revision {then} was in force then; under revision {now} it would pass"
    return drop["note"] == expected and drop["explanation"]["rule"] == "meter-reads-plc", drop["note"]


@check("explain-flow", "of an open connection explain tells the flow's state, that an ACK passes and one with a number from outside its windows does not, as the wire then shows")
def explain_flow(lab):
    lab.policy(variants.METER_READS_PLC)
    meter, plc = lab.host("meter"), lab.host("plc")
    with traffic.Poller(lab, "meter", plc.v4, 502, "explained") as poller:
        wait.until(lambda: poller.answers() > 2, 10, "the connection is open")
        flow = lab.gateway.read("show", "flows", "rule=meter-reads-plc", "state=established")["flows"][0]
        ends = [f"{meter.v4}:{flow['client_port']}", f"{plc.v4}:502", "tcp"]
        ack = lab.gateway.read("explain", "--in", "field", *ends, "A")
        following = int(next(step["detail"] for step in ack["steps"] if step["stage"] == "flow").split("sequence ")[1].split()[0])
        outside = (following + (1 << 30)) % (1 << 32)
        again = lab.gateway.read("explain", "--in", "field", *ends, "A", "--sequence", str(outside))
        refused = lambda: lab.gateway.read("show", "counters")["drops"]["bad-tcp-window"]  # noqa: E731
        before = refused()
        with Sender(meter.namespace) as sender:
            sender.send(syn(meter, plc.v4, 502, source_port=flow["client_port"], flags=frames.ACK, sequence=outside))
        met = wait.holds(lambda: refused() > before, 3)
        lost = poller.lost()
    states = [{step["stage"]: step["outcome"] for step in told["steps"]}.get("flow") for told in (ack, again)]
    return states == ["established"] * 2 and ack["decision"] == "allow" and again["reason"] == "bad-tcp-window" and met and not lost, \
        f"flow {states}; A: {ack['decision']} by {ack['rule']}; far ahead: {again['reason']}, on the wire {'too' if met else 'not'}; polls lost: {len(lost)}"


class Tracing:
    """A running `sallyctl --json trace`: a line for each packet as it comes."""

    def __init__(self, lab, *arguments):
        self.popen = subprocess.Popen([os.path.join(lab.gateway.bin, "sallyctl"), "--run-dir", lab.gateway.run_dir, "--json", "trace", *arguments],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        os.set_blocking(self.popen.stdout.fileno(), False)
        self._data = b""

    def packets(self):
        self._data += self.popen.stdout.read() or b""
        return [json.loads(line) for line in self._data.split(b"\n")[:-1]]

    def end(self):
        self.popen.send_signal(signal.SIGINT)
        status = self.popen.wait(10)
        found = self.packets()
        self.popen.stdout.close()
        self.popen.stderr.close()
        return status, found


@check("trace-stages", "while a trace of one flow runs, the packets of a TLS handshake with the gateway are told stage by stage, both ways, with the "
       "rewriting; a denied SYN from the same host and everybody else's traffic are not in it; Ctrl-C leaves the dataplane free")
def trace_stages(lab):
    lab.policy()
    scada, gateway = lab.host("scada"), topology.GATEWAY_ADDRESS["office"][0]
    tracing, ports = Tracing(lab, scada.v4, f"{gateway}:802", "tcp", "--seconds", "60"), iter(range(45100, 46000))
    try:
        with Sender(scada.namespace) as sender:
            def answered():
                number = next(ports)
                sender.send(syn(scada, gateway, 802, source_port=number), syn(scada, gateway, 9999, source_port=number))
                # A trace that begins between the two has the answer alone.
                told = [one["packet"] for one in tracing.packets()]
                return all(any(flags in packet for packet in told) for flags in ("[S]", "[SA]"))
            wait.until(answered, 10, "a SYN and an answer are in the trace")
        traffic.provoke(lab, ["camera", "rogue"])
    finally:
        status, packets = tracing.end()
    first = next((one for one in packets if "[S]" in one["packet"]), {"packet": "", "out": "", "rule": "", "steps": []})
    stages = [step["stage"] for step in first["steps"]]
    forth = first["rule"] == "scada-reads-plc" and first["out"] == "host:office" and \
        {"parse", "bind", "classify", "flow", "rewrite", "host-stack"} <= set(stages)
    back = any(one["in"] == "host:office" and "[SA]" in one["packet"] for one in packets)
    others = [one["packet"] for one in packets if "802" not in one["packet"] and one["in"] != "host:office"]
    free = wait.holds(lambda: lab.gateway.ctl("trace", scada.v4, gateway, "--seconds", "0.1", check=False).returncode == 0, 5)
    return status == 0 and forth and back and not others and free, \
        f"{len(packets)} packets; {first['packet']}: {' '.join(stages) or 'nothing'}; the answer is {'there' if back else 'missing'}; " \
        f"others: {others[:2] or 'none'}; exit status {status}"


@check("show-filters", "name=value words narrow flows and drops to the rows that --json shows; a word that is no field is refused with what there is")
def show_filters(lab):
    lab.policy()
    with Sender(lab.host("camera").namespace) as sender:
        def recorded():
            # Again and again: what the camera did in this second may have used up its records.
            sender.send(syn(lab.host("camera"), lab.host("scada").v4, 4434))
            return lab.gateway.read("show", "drops", "device=camera", "destination_port=4434")["drops"]
        rows = wait.until(recorded, 5, "the drop is on record")
    narrow = all(row["device"] == "camera" and row["destination_port"] == 4434 for row in rows)
    every = lab.gateway.read("show", "drops")["drops"]
    wrong = lab.gateway.ctl("show", "drops", "colour=red", check=False)
    return narrow and len(every) > len(rows) and wrong.returncode == 2 and "destination_port" in wrong.stderr, \
        f"{len(rows)} of {len(every)} rows; colour=red: exit status {wrong.returncode}"

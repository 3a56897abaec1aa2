"""Item 7: `sallyctl explain` tells what the wire does, and names the line."""
from . import frames, topology, variants, wait
from .checks import check
from .devices import connects
from .sender import Sender


def questions(lab):
    """[(segment, host that sends, destination, port, conduit to be named, allowed)]."""
    rows = []
    for version in (0, 1):
        plc, scada = lab.host("plc").addresses[version], lab.host("scada")
        rows += [("office", "scada", scada.gateway[version], 802, "scada-reads-plc", True),
                 ("office", "scada", scada.gateway[version], 803, "scada-reads-plc", False),
                 ("office", "scada", plc, 502, "scada-reads-plc", False),
                 ("field", "meter", plc, 502, "meter-reads-plc", True),
                 ("field", "camera", plc, 502, "meter-reads-plc", False),
                 ("field", "meter", topology.BROKER[version], 1883, "meter-to-broker-address", True),
                 ("field", "meter", topology.BROKER[version], 8883, "meter-to-broker-address", False)]
    return rows


def ask(lab, segment, source, destination, port):
    bracketed = lambda address, number: f"[{address}]:{number}" if ":" in address else f"{address}:{number}"  # noqa: E731
    return lab.gateway.read("explain", "--in", segment, bracketed(source, 40000), bracketed(destination, port), "tcp")


@check("explain-agrees", "for allowed and denied connections in both IP versions, explain's verdict is what connect() meets, and its answer "
       "names file, line and column of the conduit that permits, or comes nearest")
def explain_agrees(lab):
    lab.policy(variants.METER_READS_PLC)
    wrong, rows, outcomes = [], questions(lab), {}
    for sender in {row[1] for row in rows}:
        targets = [(row[2], row[3]) for row in rows if row[1] == sender]
        for target, outcome in lab.host(sender).namespace.inside(lambda items=targets: connects(items, 2)).items():
            outcomes[sender, target] = outcome
    for segment, sender, destination, port, conduit, allowed in rows:
        host = lab.host(sender)
        source = host.addresses[1 if ":" in destination else 0]
        told = ask(lab, segment, source, destination, port)
        met = outcomes[sender, (destination, port)]
        if (told["decision"] == "allow") != allowed or (met == "open") != allowed:
            wrong.append(f"{source}>{destination}:{port} told {told['decision']}, met {met}")
        nearest = [(item["line"], item["column"]) for item in told["candidates"] if item["name"] == conduit]
        place = [(told["line"], told["column"])] if allowed else nearest
        if variants.line_of(lab.gateway.text, conduit) not in place or not told["file"].endswith(".yaml"):
            wrong.append(f"{source}>{destination}:{port} names {place} of {told['file']}, not {conduit}")
    return not wrong, f"{len(rows)} connections, each with file:line:column; wrong: {wrong or 'nothing'}"


@check("explain-drop-reason", "a stolen address is explained by the reason under which the dataplane counts the very packet")
def explain_reason(lab):
    lab.policy()
    rogue, meter = lab.host("rogue"), lab.host("meter")
    told = lab.gateway.read("explain", "--in", "field", "--port", "lan4", "--mac", rogue.mac, f"{meter.v4}:40000",
                            f"{topology.BROKER[0]}:1883", "tcp")
    count = lambda: lab.gateway.read("show", "counters")["drops"][told["reason"]]  # noqa: E731
    before = count()
    with Sender(rogue.namespace) as sender:
        sender.send(frames.ethernet(rogue.gateway_mac, rogue.mac, frames.IPV4, frames.ip(
            meter.v4, topology.BROKER[0], frames.TCP, frames.tcp(meter.v4, topology.BROKER[0], 40000, 1883))))
    counted = wait.holds(lambda: count() > before, 3)
    return told["decision"] == "deny" and told["reason"] == "stolen-identity" and counted, \
        f"told {told['reason']}, counted {'so' if counted else 'not so'}"

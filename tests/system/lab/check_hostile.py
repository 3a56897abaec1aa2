"""The hostile corpus over the real wires with the lab's policy in force: what comes out is what conduits and built-in rules allow."""
from . import capture, check_walls, frames, tls, topology, wait
from .checks import check

DNS, NEIGHBOUR = 53, range(133, 138)
QUIET_SECONDS = 2.0


def listeners(lab):
    """{host: {(protocol, address, port)}}: who may be answered by the gateway's own stack, and from where (gateway.yaml)."""
    allowed = {name: set() for name in lab.network.hosts}
    for version in (0, 1):
        field, office = topology.GATEWAY_ADDRESS["field"][version], topology.GATEWAY_ADDRESS["office"][version]
        for name in ("plc", "meter", "camera"):
            allowed[name] |= {("udp", field, DNS), ("tcp", field, DNS)}
        allowed["meter"].add(("tcp", topology.BROKER[version], 1883))
        allowed["scada"] |= {("tcp", office, 802), ("tcp", office, 443)}
    return allowed


def verdict(lab, allowed, name, frame):
    """None if this frame may have left for this wire, else why not."""
    host, parsed = lab.host(name), frame.parsed()
    if parsed.source_mac != host.gateway_mac:
        return "not the gateway's MAC"
    if name == "rogue":
        return "nothing is for the rogue"
    neighbour = parsed.kind == frames.ARP or (parsed.protocol == frames.ICMPV6 and parsed.flags in NEIGHBOUR)
    if neighbour:
        return None  # answers to the asker, questions for the uplink's hosts: below, on whose behalf
    if name == "cloud":
        own = {topology.GATEWAY_ADDRESS["uplink"][version] for version in (0, 1)}
        asks = parsed.protocol in (frames.UDP, frames.TCP) and parsed.destination in topology.NAME_SERVER and parsed.destination_port == DNS
        return None if parsed.source in own and asks else "only questions to the name server leave unasked"
    word = {frames.TCP: "tcp", frames.UDP: "udp"}.get(parsed.protocol, f"protocol {parsed.protocol}")
    return None if (word, parsed.source, parsed.source_port) in allowed[name] else f"{word} from {parsed.source} {parsed.source_port}"


def adds_up(lab):
    """(what came in and was made, what became of it), counted between two bursts."""
    counters = lab.gateway.read("show", "counters")
    came = counters["received"] + counters["originated"] + counters["taken_over"]
    went = sum(counters[name] for name in ("forwarded", "to_host", "consumed", "held", "handed_over")) + sum(counters["drops"].values())
    return came, went


@check("policy-hostile-corpus", f"{check_walls.HOSTILE_FRAMES} hostile frames over the six wires with gateway.yaml in force: what comes out is "
       "answers of declared listeners and services, neighbour messages to enrolled hosts, and nothing on the rogue's wire; sessions go on")
def policy_hostile(lab):
    lab.policy()
    ended = len(lab.gateway["dataplane"].exits)
    before = lab.gateway.received_by_port()
    mark, allowed = lab.captures.mark(), listeners(lab)
    sent = check_walls.hostile(lab, seed=100)
    wait.stays(lambda: True, QUIET_SECONDS)
    found = lab.captures.since(mark)
    wrong = [(name, frame, why) for name, frame in found if (why := verdict(lab, allowed, name, frame))]
    after = lab.gateway.received_by_port()
    received = sum(after[port] - before[port] for port in after)
    works = tls.try_modbus(lab, topology.GATEWAY_ADDRESS["office"][0], "scada", seconds=5)["end"] == "answered"
    shown = "; ".join(f"{name}: {frame.parsed()} ({why})" for name, frame, why in wrong[:3]) or "nothing"
    return not wrong and received >= check_walls.HOSTILE_FRAMES * 0.9 and works and len(lab.gateway["dataplane"].exits) == ended, \
        f"{sent} taken by the wires, {received} counted; {len(found)} frames out, of them not allowed: {shown}; a new session " \
        f"{'works' if works else 'does not work'}"


@check("counters-add-up", "every frame that came in or was made has left, is held, was consumed or was dropped by name")
def counters_add_up(lab):
    lab.policy()
    came, went = adds_up(lab)
    return came == went and came > check_walls.HOSTILE_FRAMES // 2, f"{came} in and made, {went} accounted for"

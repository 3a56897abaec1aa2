"""Item 4: who is not enrolled reaches nothing, also in another's clothes; who is enrolled reaches what a conduit names."""
from . import capture, frames, topology, traffic, variants, wait
from .checks import check
from .devices import connects
from .sender import Sender

TARGET_PORTS = {"gateway": (22, 53, 80, 443, 802), "plc": (502,), "camera": (80,), "meter": (22,), "scada": (22,), "cloud": (53, 8883)}


def reached(lab, name):
    """What plain connect() from a host finds open, over both IP versions, of everything that listens anywhere."""
    host, found, tried = lab.host(name), [], 0
    for version in (0, 1):
        targets = [(host.gateway[version], port) for port in TARGET_PORTS["gateway"]]
        targets += [(lab.host(other).addresses[version], port) for other in lab.network.hosts if other != name
                    for port in TARGET_PORTS[other]]
        targets += [(topology.BROKER[version], 1883), (topology.BROKER[version], 8883)]
        tried += len(targets)
        outcomes = host.namespace.inside(lambda items=targets: connects(items, 1.5))
        found += [f"{address} {port} {outcome}" for (address, port), outcome in outcomes.items() if outcome != "silent"]
    return found, tried


@check("rogue-reaches-nothing", "from a port that enrols nobody: no connection, no answer on its own wire, no frame of its on another")
def rogue_reaches_nothing(lab):
    lab.policy()
    mark = lab.captures.mark()
    found, tried = reached(lab, "rogue")
    traffic.provoke(lab, ["rogue"])
    wait.stays(lambda: not lab.captures.since(mark, "rogue"), 0.5)
    own = lab.captures.since(mark, "rogue")
    rogue = lab.host("rogue")
    crossed = [(name, frame) for name, frame in lab.captures.since(mark)
               if name != "rogue" and (frame.parsed().source in rogue.addresses or frames.mac_bytes(rogue.mac) in frame.data[:14])]
    return not found and not own and not crossed, \
        f"{tried} tries, reached {found or 'nothing'}; on its wire {capture.describe(own)}; elsewhere {capture.describe(crossed)}"


def stolen_packets(lab, victim):
    """The rogue's frames in another's clothes: MAC and address, address only, announcements of both."""
    rogue, packets = lab.host("rogue"), []
    for version in (0, 1):
        own, kind = victim.addresses[version], (frames.IPV4, frames.IPV6)[version]
        for mac in (victim.mac, rogue.mac):
            for target, port in ((topology.BROKER[version], 1883), (lab.host("plc").addresses[version], 502),
                                 (victim.gateway[version], 53)):
                packets.append(frames.ethernet(rogue.gateway_mac, mac, kind, frames.ip(
                    own, target, frames.TCP, frames.tcp(own, target, 41000, port, sequence=0x0BADBAD0))))
                packets.append(frames.ethernet(rogue.gateway_mac, mac, kind, frames.ip(
                    own, target, frames.UDP, frames.udp(own, target, 41000, port, traffic.FORBIDDEN))))
    packets.append(frames.arp_request(victim.mac, victim.v4, victim.v4))
    packets.append(frames.arp_request(rogue.mac, victim.v4, victim.gateway[0]))
    packets.append(frames.neighbour_solicitation(victim.mac, victim.v6, victim.gateway[1]))
    return packets


def stolen_event(lab):
    """The newest event that names the meter, its own port and the rogue's."""
    for event in reversed(lab.gateway.read("show", "events")):
        detail = event.get("detail", {})
        if event.get("kind") == "stolen-identity" and (detail.get("home_port"), detail.get("seen_port")) == ("lan2", "lan4"):
            return f"{detail['device']} of {detail['home_port']} seen on {detail['seen_port']}"
    return None


@check("rogue-stolen-identity", "with the meter's MAC and addresses on lan4: nothing answered, nothing crosses, the meter itself goes on, "
       "and an event names lan4 and lan2")
def stolen_identity(lab):
    lab.policy(variants.METER_READS_PLC)
    mark = lab.captures.mark()
    victim = lab.host("meter")
    with Sender(lab.host("rogue").namespace) as sender:
        for _ in range(3):
            sender.send(*stolen_packets(lab, victim))
    event = wait.holds(lambda: stolen_event(lab), 5)
    own = lab.captures.since(mark, "rogue")
    crossed = [item for item in lab.captures.since(mark)
               if traffic.FORBIDDEN in item[1].data or b"\x0b\xad\xba\xd0" in item[1].data]
    goes_on, read = traffic.direct_read(lab, "meter", lab.host("plc").v4)
    return event and not own and not crossed and goes_on == 0, \
        f"event: {stolen_event(lab) or 'none'}; answered {capture.describe(own)}; crossed {capture.describe(crossed)}; the meter reads {read}"


@check("devices-apart", "meter and camera reach nothing of each other's or of the PLC's without a conduit, in either IP version")
def devices_apart(lab):
    lab.policy()
    found = []
    for name in ("meter", "camera"):
        for version in (0, 1):
            targets = [(lab.host(other).addresses[version], port) for other in ("plc", "camera", "meter") if other != name
                       for port in TARGET_PORTS[other]]
            outcomes = lab.host(name).namespace.inside(lambda items=targets: connects(items, 1.5))
            found += [f"{name} to {address}" for (address, _), outcome in outcomes.items() if outcome != "silent"]
    return not found, f"reached {found or 'nothing'}"


@check("devices-by-conduit", "once a conduit names meter, plc and modbus, the meter reads the PLC's registers in both IP versions; the camera "
       "still reaches nothing")
def devices_by_conduit(lab):
    lab.policy(variants.METER_READS_PLC)
    read = {address: traffic.direct_read(lab, "meter", address)[1] for address in lab.host("plc").addresses}
    camera = lab.host("camera").namespace.inside(lambda: connects([(address, 502) for address in lab.host("plc").addresses], 1.5))
    lab.policy()
    return set(read.values()) == {"1000 1001 1002"} and set(camera.values()) == {"silent"}, f"meter: {read}; camera: {set(camera.values())}"

"""Item 8: a root shell inside a segment's own namespace is no way around the conduits."""
import socket

from . import capture, frames, topology, traffic, wait
from .checks import check
from .devices import connects
from .sender import Sender

PORTS = (22, 53, 80, 443, 502, 802, 1883, 8883, 9000)


def leg_b_boxes(lab):
    """What gateway.yaml's conduits let each host stack reach: (segment, address, port)."""
    boxes = set()
    for version in (0, 1):
        boxes |= {("field", lab.host("plc").addresses[version], 502), ("field", lab.host("camera").addresses[version], 80),
                  ("uplink", topology.BROKER[version], 8883)}
    return boxes


@check("namespace-connects", "connect() as root inside the namespaces of field, office and uplink, to every host over both IP versions, reaches the "
       "leg-B boxes and nothing else")
def namespace_connects(lab):
    lab.policy()
    reached, tried = set(), 0
    for segment in topology.GATEWAY_ADDRESS:
        # The broker's box is open to the addresses that its name has at the moment, for seconds; so let the gateway ask for them.
        lab.devices.publish(topology.BROKER_NAME, "meter/namespace", "asks")
        targets = [(address, port) for port in PORTS for host in lab.network.hosts.values() for address in host.addresses]
        targets += [(address, port) for port in PORTS for address in (*topology.BROKER, *topology.NAME_SERVER)]
        tried += len(targets)
        outcomes = lab.gateway.segment(segment).inside(lambda items=targets: connects(items, 2))
        reached |= {(segment, address, port) for (address, port), outcome in outcomes.items() if outcome != "silent"}
    expected = leg_b_boxes(lab)
    return reached == expected, \
        f"{tried} tries; beyond the boxes: {sorted(reached - expected) or 'nothing'}; boxes not reached: {sorted(expected - reached) or 'none'}"


def throw(targets):
    """One marked datagram to each (address, port) and one ping to each address, from the caller's namespace."""
    for address, port in targets:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sender:
            try:
                sender.sendto(traffic.FORBIDDEN, (address, port))
            except OSError:
                pass  # no route, or what came back for the one before
    for address in sorted({address for address, _ in targets}):
        kind = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if ":" in address else (socket.AF_INET, socket.IPPROTO_ICMP)
        with socket.socket(kind[0], socket.SOCK_RAW, kind[1]) as sender:
            echo = bytes([128 if ":" in address else 8, 0, 0, 0, 0, 1, 0, 1]) + traffic.FORBIDDEN
            try:
                sender.sendto(echo if ":" in address else echo[:2] + frames.checksum(echo).to_bytes(2, "big") + echo[4:], (address, 0))
            except OSError:
                pass


@check("namespace-datagrams", "datagrams and pings as root inside the same namespaces, to every host: on the wires are those of the uplink to the name "
       "server's port 53, which a conduit names, and nothing else")
def namespace_datagrams(lab):
    lab.policy()
    mark, tried = lab.captures.mark(), 0
    for segment in topology.GATEWAY_ADDRESS:
        targets = [(address, port) for port in PORTS for host in lab.network.hosts.values() for address in host.addresses]
        targets += [(address, port) for port in PORTS for address in (*topology.BROKER, *topology.NAME_SERVER)]
        tried += len(targets)
        lab.gateway.segment(segment).inside(lambda items=targets: throw(items))
    expected = {(address, 53) for address in topology.NAME_SERVER}

    def seen():
        marked = [frame.parsed() for _, frame in lab.captures.since(mark) if traffic.FORBIDDEN in frame.data]
        return {(parsed.destination, parsed.destination_port) for parsed in marked}
    wait.holds(lambda: seen() >= expected, 5)
    wait.stays(lambda: not seen() - expected, 1.0)
    return seen() == expected, f"{tried} datagrams; on the wires: {sorted(seen(), key=str)}"


def crafted(lab, segment):
    """Raw frames on the namespace's own TAP: own, others' and invented sources to everyone."""
    mac, packets = topology.GATEWAY_MAC[segment], []
    for host in lab.network.hosts.values():
        for version in (0, 1):
            kind, target = (frames.IPV4, frames.IPV6)[version], host.addresses[version]
            sources = [topology.GATEWAY_ADDRESS[item][version] for item in topology.GATEWAY_ADDRESS]
            sources += [other.addresses[version] for other in lab.network.hosts.values() if other is not host]
            for source in sources:
                for to in (host.mac, "02:53:50:00:00:01"):
                    for payload in (frames.ip(source, target, frames.UDP, frames.udp(source, target, 9999, 9999, traffic.FORBIDDEN)),
                                    frames.ip(source, target, frames.TCP, frames.tcp(source, target, 9999, 22, payload=traffic.FORBIDDEN))):
                        packets.append(frames.ethernet(to, mac, kind, payload))
    packets.append(frames.ethernet(frames.BROADCAST, mac, 0x88B5, traffic.FORBIDDEN.ljust(46)))
    return packets


@check("namespace-crafted", "raw frames with own and forged sources put on each namespace's TAP by root: none on any wire")
def namespace_crafted(lab):
    lab.policy()
    mark, sent = lab.captures.mark(), 0
    for segment in topology.GATEWAY_ADDRESS:
        packets = crafted(lab, segment)
        with Sender(lab.gateway.segment(segment), "tap0") as sender:
            sender.send(*packets)
        sent += len(packets)
    forbidden = lambda: [item for item in lab.captures.since(mark) if traffic.FORBIDDEN in item[1].data]  # noqa: E731
    wait.stays(lambda: not forbidden(), 1.0)
    return not forbidden(), f"{sent} frames; out: {capture.describe(forbidden())}"


@check("namespace-walls", "forwarding is off in every namespace of the gateway's, each holds one TAP and nothing that joins it to another; sp-ports' "
       "interfaces have no address")
def namespace_walls(lab):
    lab.policy()
    wrong = []
    for segment in (*topology.GATEWAY_ADDRESS, "ports"):
        space = lab.gateway.segment(segment)
        for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            value = space.inside(lambda k=key: open(f"/proc/sys/net/{k}", encoding="ascii").read().strip())
            if value != "0":
                wrong.append(f"{segment}: {key} is {value}")
        links = [line.split(":")[1].split("@")[0].strip() for line in space.ip("-o", "link").stdout.splitlines()]
        expected = {"lo", "tap0"} if segment != "ports" else {"lo", *(host.port for host in lab.network.hosts.values())}
        if set(links) != expected:
            wrong.append(f"{segment} holds {sorted(links)}")
        if segment == "ports" and space.ip("-o", "addr", "show", "scope", "global").stdout + space.ip(
                "-o", "-6", "addr", "show", "scope", "link").stdout:
            wrong.append("ports has addresses")
    return not wrong, wrong or "one TAP each, forwarding off, ports mute"

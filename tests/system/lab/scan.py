"""Port scans, by nmap over TCP and by our own sender over UDP; judged by what nmap says and by what the captures saw."""
import os
import xml.etree.ElementTree as ElementTree

from . import frames, wait

TCP_RATE = 12000  # probes a second and host
UDP_RATE = 8000


def start_tcp(lab, host, target, attempt):
    """nmap over all 65,535 TCP ports of one address at a bounded rate; one probe each, because the dataplane's count says whether all
    came. Returns (process, path of its result)."""
    name = f"nmap-{host}-{target.replace(':', '_')}-{attempt}"
    path = os.path.join(lab.work_dir, name + ".xml")
    argv = ["nmap", *(["-6"] if ":" in target else []), "-n", "-Pn", "-sS", "-p-", "--send-ip", "--min-rate", str(TCP_RATE),
            "--max-rate", str(TCP_RATE), "--max-retries", "0", "--host-timeout", "90s", "-oX", path, target]
    return lab.start_program(name, host, argv), path


def tcp_result(path):
    """{"open": [ports], "closed": [ports]} of a finished scan; closed is what was refused instead of ignored."""
    found = {"open": [], "closed": []}
    root = ElementTree.parse(path).getroot()
    for many in root.iter("extraports"):
        if many.get("state") == "closed":
            found["closed"].append(f"{many.get('count')} more")
    for port in root.iter("port"):
        state = port.find("state").get("state")
        if state in found:
            found[state].append(int(port.get("portid")))
    return found


def start_udp(lab, host, target, attempt):
    """A datagram to each of the 65,536 UDP ports of one address."""
    station = lab.host(host)
    own = station.addresses[1 if ":" in target else 0]
    argv = [os.path.join(lab.build_dir, "lab/udp_ports"), "eth0", str(UDP_RATE), station.mac, station.gateway_mac, own, target,
            str(42000 + attempt)]
    return lab.start_program(f"udp-{host}-{target.replace(':', '_')}-{attempt}", host, argv), None


def all_wires(lab, rows, start, enough):
    """Runs one scan per row (host, address, ...), those of different hosts at the same time. A scan of which the dataplane counted
    fewer than `enough` frames on the host's port is repeated, twice at most. Yields (row, mark, path, counted)."""
    waiting = {}
    for row in rows:
        waiting.setdefault(row[0], []).append((row, 0))
    while waiting:
        batch = [(queue.pop(0)) for queue in waiting.values()]
        mark, before = lab.captures.mark(), lab.gateway.received_by_port()
        running = [(row, attempt, *start(lab, row[0], row[1], attempt)) for row, attempt in batch]
        wait.until(lambda items=running: not any(item[2].running() for item in items), 150, "the scans are through")
        wait.stays(lambda: True, 0.3)  # for the last answers
        after = lab.gateway.received_by_port()
        for row, attempt, process, path in running:
            if process.popen.returncode != 0:
                raise RuntimeError(f"{process.name}: {process.log()[-300:]}")
            port = lab.host(row[0]).port
            counted = after[port] - before[port]
            if counted < enough and attempt < 2:
                waiting[row[0]].append((row, attempt + 1))
            yield row, mark, path, counted
        waiting = {host: queue for host, queue in waiting.items() if queue}


def answers(lab, mark, host):
    """What came back on a host's wire, as {(protocol, source address, source port or ICMP type)}; questions of the gateway's own
    (ARP, neighbour discovery) are no answers."""
    found = set()
    for _, frame in lab.captures.since(mark, host):
        parsed = frame.parsed()
        if parsed.kind == frames.ARP or (parsed.protocol == frames.ICMPV6 and 133 <= parsed.flags <= 137):
            continue
        word = {frames.TCP: "tcp", frames.UDP: "udp"}.get(parsed.protocol, f"protocol {parsed.protocol} type")
        found.add((word, parsed.source, parsed.source_port if parsed.source_port is not None else parsed.flags))
    return found

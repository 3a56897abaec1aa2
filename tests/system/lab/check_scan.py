"""Item 5: what is open is what is declared, from every host, for both transports, in both IP versions."""
from . import scan, topology
from .checks import check

# Declared TCP ports: what gateway.yaml says, per host and address. Everything else must be silent, not even refused.
DNS, STATION = (53,), (443, 802)


def declared(lab):
    """[(host, address, open TCP ports)] for every scan."""
    gateway = topology.GATEWAY_ADDRESS
    rows = []
    for version in (0, 1):
        rows += [("plc", gateway["field"][version], DNS), ("meter", gateway["field"][version], DNS),
                 ("camera", gateway["field"][version], DNS), ("rogue", gateway["field"][version], ()),
                 ("scada", gateway["office"][version], STATION), ("cloud", gateway["uplink"][version], ()),
                 ("scada", lab.host("plc").addresses[version], ()),
                 ("rogue", lab.host("plc").addresses[version], ()),
                 ("cloud", lab.host("plc").addresses[version], ())]
        rows += [("meter", topology.BROKER[version], (1883,)), ("camera", topology.BROKER[version], ())]
    return rows


def strangers(lab, mark, host, allowed):
    return sorted(answer for answer in scan.answers(lab, mark, host) if answer[2] not in allowed or answer[0] not in ("tcp", "udp"))


@check("scan-tcp", "nmap -p- from every host over IPv4 and IPv6 finds the declared ports open and none closed; the captures show no other "
       "answer; the dataplane counted every probe")
def scan_tcp(lab):
    lab.policy()
    wrong, scans, short = [], declared(lab), {}
    for (host, target, expected), mark, path, counted in scan.all_wires(lab, scans, scan.start_tcp, 65535):
        found = scan.tcp_result(path)
        short[host, target] = counted < 65535
        if set(found["open"]) - set(expected) or found["closed"] or (not short[host, target] and len(found["open"]) < len(expected)):
            wrong.append(f"{host} finds {found} on {target}")
        wrong += [f"{host} hears {answer}" for answer in strangers(lab, mark, host, expected)]
    return not wrong and not any(short.values()), \
        f"{len(scans)} scans of 65535 ports, {sum(short.values())} incomplete; wrong: {wrong[:4] or 'nothing'}"


@check("scan-udp", "a datagram to each of 65536 UDP ports of the same addresses: no answer but from port 53 in field; the dataplane counted "
       "every datagram")
def scan_udp(lab):
    lab.policy()
    wrong, scans, short = [], declared(lab), {}
    for (host, target, expected), mark, _, counted in scan.all_wires(lab, scans, scan.start_udp, 65536):
        short[host, target] = counted < 65536
        wrong += [f"{host} hears {answer}" for answer in strangers(lab, mark, host, DNS if expected == DNS else ())]
    return not wrong and not any(short.values()), \
        f"{len(scans)} scans of 65536 ports, {sum(short.values())} incomplete; wrong: {wrong[:4] or 'nothing'}"

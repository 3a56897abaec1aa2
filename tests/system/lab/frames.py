"""Frames byte by byte: what the rogue sends, and what a capture is asked about. Both IP versions everywhere."""
import dataclasses
import ipaddress
import struct

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
SYN, ACK, RST = 0x02, 0x10, 0x04
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def mac_text(data):
    return ":".join(f"{byte:02x}" for byte in data)


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(destination, source, kind, payload):
    return mac_bytes(destination) + mac_bytes(source) + struct.pack("!H", kind) + payload


def _pseudo(source, destination, protocol, size):
    if source.version == 4:
        return source.packed + destination.packed + struct.pack("!BBH", 0, protocol, size)
    return source.packed + destination.packed + struct.pack("!I3xB", size, protocol)


def ip(source, destination, protocol, payload, hop_limit=64):
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if source.version == 4:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0x4000, hop_limit, protocol, 0,
                           source.packed, destination.packed)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        return head + payload
    return struct.pack("!IHBB16s16s", 0x60000000, len(payload), protocol, hop_limit, source.packed,
                       destination.packed) + payload


def tcp(source, destination, source_port, destination_port, flags=SYN, sequence=1, payload=b""):
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    head = struct.pack("!HHIIBBHHH", source_port, destination_port, sequence, 0, 5 << 4, flags, 64240, 0, 0)
    total = checksum(_pseudo(source, destination, TCP, len(head) + len(payload)) + head + payload)
    return head[:16] + struct.pack("!H", total) + head[18:] + payload


def udp(source, destination, source_port, destination_port, payload=b""):
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    size = 8 + len(payload)
    head = struct.pack("!HHHH", source_port, destination_port, size, 0)
    total = checksum(_pseudo(source, destination, UDP, size) + head + payload) or 0xFFFF
    return head[:6] + struct.pack("!H", total) + payload


def echo_request(source, destination, identifier=7, sequence=1):
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if source.version == 4:
        body = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + b"sallyport-lab"
        return body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    body = struct.pack("!BBHHH", 128, 0, 0, identifier, sequence) + b"sallyport-lab"
    total = checksum(_pseudo(source, destination, ICMPV6, len(body)) + body)
    return body[:2] + struct.pack("!H", total) + body[4:]


def echo_packet(source, destination):
    protocol = ICMP if ipaddress.ip_address(source).version == 4 else ICMPV6
    return ip(source, destination, protocol, echo_request(source, destination))


def kind_of(address):
    return IPV4 if ipaddress.ip_address(address).version == 4 else IPV6


def arp_request(source_mac, source, target, operation=1, target_mac="00:00:00:00:00:00"):
    body = struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + mac_bytes(source_mac) + \
        ipaddress.ip_address(source).packed + mac_bytes(target_mac) + ipaddress.ip_address(target).packed
    return ethernet(BROADCAST, source_mac, ARP, body)


def neighbour_solicitation(source_mac, source, target):
    """RFC 4861 §4.3, to the target's solicited-node address."""
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    node = ipaddress.IPv6Address(b"\xff\x02" + bytes(9) + b"\x01\xff" + target.packed[13:])
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target.packed + b"\x01\x01" + mac_bytes(source_mac)
    total = checksum(_pseudo(source, node, ICMPV6, len(body)) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    return ethernet(mac_text(b"\x33\x33" + node.packed[12:]), source_mac, IPV6,
                    ip(source, node, ICMPV6, body, hop_limit=255))


def _icmpv6(source, destination, body):
    """Type, code, two zero bytes for the sum, and what follows -> the same with its sum."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    return body[:2] + struct.pack("!H", checksum(_pseudo(source, destination, ICMPV6, len(body)) + body)) + body[4:]


def link_local(mac):
    """RFC 4291 appendix A."""
    raw = mac_bytes(mac)
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]))


def router_solicitation(source_mac):
    """RFC 4861 §4.1."""
    source = link_local(source_mac)
    body = _icmpv6(source, "ff02::2", struct.pack("!BBHI", 133, 0, 0, 0) + b"\x01\x01" + mac_bytes(source_mac))
    return ethernet("33:33:00:00:00:02", source_mac, IPV6, ip(source, "ff02::2", ICMPV6, body, hop_limit=255))


def listener_query(source_mac):
    """A general MLD query (RFC 3810 §5.1) with its router alert: every IPv6 stack answers it with reports."""
    source, alert = link_local(source_mac), bytes([ICMPV6, 0, 5, 2, 0, 0, 1, 0])
    body = _icmpv6(source, "ff02::1", struct.pack("!BBHHH", 130, 0, 0, 1, 0) + bytes(16) + bytes([2, 125, 0, 0]))
    return ethernet("33:33:00:00:00:01", source_mac, IPV6, ip(source, "ff02::1", 0, alert + body, hop_limit=1))


def group_query(source_mac, source):
    """A general IGMPv2 query (RFC 2236): every IPv4 stack with groups answers it."""
    body = struct.pack("!BBH4x", 0x11, 1, 0)
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return ethernet("01:00:5e:00:00:01", source_mac, IPV4, ip(source, "224.0.0.1", 2, body, hop_limit=1))


@dataclasses.dataclass
class Parsed:
    """What a captured frame says; fields that it does not have are None or empty."""
    source_mac: str
    destination_mac: str
    kind: int
    source: str = None
    destination: str = None
    protocol: int = None
    source_port: int = None
    destination_port: int = None
    flags: int = 0
    sequence: int = None
    payload: bytes = b""

    def __str__(self):
        if self.source is None:
            return f"{self.source_mac}>{self.destination_mac} type {self.kind:#06x}"
        ports = "" if self.source_port is None else f":{self.source_port}>{self.destination_port}"
        flags = f" flags {self.flags:#04x}" if self.protocol == TCP else ""
        return f"{self.source}>{self.destination} protocol {self.protocol}{ports}{flags}"


def parse(data):
    parsed = Parsed(mac_text(data[6:12]), mac_text(data[:6]), struct.unpack("!H", data[12:14])[0])
    if parsed.kind == IPV4 and len(data) >= 34:
        parsed.source = str(ipaddress.IPv4Address(data[26:30]))
        parsed.destination = str(ipaddress.IPv4Address(data[30:34]))
        parsed.protocol = data[23]
        end = 14 + struct.unpack("!H", data[16:18])[0]
        _transport(parsed, data[14 + (data[14] & 15) * 4:end])
    elif parsed.kind == IPV6 and len(data) >= 54:
        parsed.source = str(ipaddress.IPv6Address(data[22:38]))
        parsed.destination = str(ipaddress.IPv6Address(data[38:54]))
        parsed.protocol = data[20]
        _transport(parsed, data[54:54 + struct.unpack("!H", data[18:20])[0]])
    elif parsed.kind == ARP and len(data) >= 42:
        parsed.source = str(ipaddress.IPv4Address(data[28:32]))
        parsed.destination = str(ipaddress.IPv4Address(data[38:42]))
    return parsed


def _transport(parsed, data):
    if parsed.protocol in (TCP, UDP) and len(data) >= 8:
        parsed.source_port, parsed.destination_port = struct.unpack("!HH", data[:4])
        if parsed.protocol == UDP:
            parsed.payload = data[8:]
        elif len(data) >= 20:
            parsed.flags = data[13]
            parsed.sequence = struct.unpack("!I", data[4:8])[0]
            parsed.payload = data[(data[12] >> 4) * 4:]
    elif parsed.protocol in (ICMP, ICMPV6) and data:
        parsed.flags = data[0]
        parsed.payload = data[4:]

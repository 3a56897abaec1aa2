"""What is judged over the whole run."""
from . import check_bulk, check_nat, streams, tls, topology
from .checks import check
from .devices import PICTURE_MARK, READING

SECURE_PORTS = (8883, check_bulk.SECURE)
BROKER_ENDS = tuple((address, port) for address in topology.BROKER for port in SECURE_PORTS)


@check("uplink-no-plaintext", "on the uplink: to and from the broker's ports 8883 and 9443 TLS records from the first byte to the last, DNS to the "
       "declared server, what the NAPT44 checks' direct conduits carry, and nothing else that carries bytes; no reading, no picture, no Modbus, no MQTT in the clear")
def no_plaintext(lab):
    strange, marks = [], []
    for frame in lab.captures.wires["cloud"].frames:
        parsed = frame.parsed()
        # Of megabytes of TLS some four bytes are a mark by chance; that it is TLS is judged below.
        bulk = check_bulk.SECURE in (parsed.source_port, parsed.destination_port)
        for mark in () if bulk else (READING, PICTURE_MARK, b"MQTT", b"GET /", tls.MODBUS_READ[2:]):
            if mark in frame.data:
                marks.append(f"{mark[:12]!r} in {parsed}")
        if not frame.from_gateway or not parsed.payload:
            continue
        to_broker = parsed.protocol == 6 and (parsed.destination, parsed.destination_port) in BROKER_ENDS
        to_dns = parsed.destination_port == 53 and parsed.destination in topology.NAME_SERVER
        direct = (parsed.protocol, parsed.destination_port) in check_nat.SERVICES and parsed.destination in topology.BROKER
        if parsed.protocol in (6, 17) and not (to_broker or to_dns or direct):
            strange.append(str(parsed))
    both = {key: data for key, data in streams.put_together(lab.captures.wires["cloud"].frames).items()
            if data and ((key[2], key[3]) in BROKER_ENDS or (key[0], key[1]) in BROKER_ENDS)}
    plain = [f"{key[:4]}: {how}" for key, data in both.items() if (how := streams.not_tls(data))]
    out = sum((key[2], key[3]) in BROKER_ENDS for key in both)
    return out > 0 and len(both) > out and not plain and not strange and not marks, \
        f"{out} streams to the broker, {len(both) - out} from it, {sum(map(len, both.values()))} bytes, not TLS: {plain[:3] or 'none'}; " \
        f"marks: {marks[:3] or 'none'}; other payload: {strange[:3] or 'none'}"


@check("captures-complete", "no capture of the run lost a frame, so silence means silence")
def captures_complete(lab):
    total = sum(len(wire.frames) for wire in lab.captures.wires.values())
    return lab.captures.lost() == 0 and total > 0, f"{total} frames captured, {lab.captures.lost()} lost"

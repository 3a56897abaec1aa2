"""What is judged over the whole run."""
from . import tls, topology
from .checks import check
from .devices import PICTURE_MARK, READING


@check("uplink-no-plaintext", "on the uplink: TLS records on 8883, DNS to the declared server, and nothing else that carries bytes; no "
       "reading, no picture, no Modbus, no MQTT in the clear")
def no_plaintext(lab):
    streams, strange, marks = 0, [], []
    for frame in lab.captures.wires["cloud"].frames:
        parsed = frame.parsed()
        for mark in (READING, PICTURE_MARK, b"MQTT", b"GET /", tls.MODBUS_READ[2:]):
            if mark in frame.data:
                marks.append(f"{mark[:12]!r} in {parsed}")
        if not frame.from_gateway or not parsed.payload:
            continue
        if parsed.protocol == 6 and parsed.destination_port == 8883:
            streams += parsed.payload[0] in (0x14, 0x15, 0x16, 0x17)
        elif parsed.protocol in (6, 17) and not (parsed.destination_port == 53 and parsed.destination in topology.NAME_SERVER):
            strange.append(str(parsed))
    return streams > 0 and not strange and not marks, \
        f"{streams} segments that start a TLS record; marks: {marks[:3] or 'none'}; other payload: {strange[:3] or 'none'}"


@check("captures-complete", "no capture of the run lost a frame, so silence means silence")
def captures_complete(lab):
    total = sum(len(wire.frames) for wire in lab.captures.wires.values())
    return lab.captures.lost() == 0 and total > 0, f"{total} frames captured, {lab.captures.lost()} lost"

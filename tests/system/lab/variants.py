"""The lab's configuration and what some checks add to it."""
import os

_REVIEW = 'review: { by: plant-security, on: 2026-11-01, expires: 2036-11-01, reason: "%s" }'
_DIRECT = """  {name}:
    from: {source}
    to: {target}
    service: {service}
    {review}
"""


def base():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "gateway.yaml"), encoding="utf-8") as stream:
        return stream.read()


def direct(name, source, target, service):
    """A direct conduit as text; `conduits:` is the file's last section, so it is appended."""
    return _DIRECT.format(name=name, source=source, target=target, service=service, review=_REVIEW % "the lab's")


MANAGED_OFFICE = base().replace("office: { ports: [off1],", "office: { ports: [off1], role: management,")
SCADA_SCRAPES = direct("scada-scrapes", "scada", "gateway", "tcp/9469")
METER_READS_PLC = direct("meter-reads-plc", "meter", "plc", "modbus")
METER_STREAMS_PLC = direct("meter-streams-plc", "meter", "plc", "udp/9000")
CAMERA_STREAMS_PLC = direct("camera-streams-plc", "camera", "plc", "udp/9001")


def line_of(text, name):
    """1-based line and column of a conduit's key."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith(name + ":"):
            return number, len(line) - len(line.lstrip()) + 1
    raise KeyError(name)
